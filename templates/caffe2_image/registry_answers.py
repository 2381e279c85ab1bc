"""Ask the registry at IPV4:PORT, named on the command line, whether it answers with this certificate."""

import http.client
import ssl
import sys

address, certificate = sys.argv[1:]
trust = ssl.create_default_context(cafile=certificate)
connection = http.client.HTTPSConnection(address, timeout=5, context=trust)
connection.request("GET", "/v2/")
status = connection.getresponse().status
sys.exit(0 if status == 200 else "HTTP status %d" % status)
