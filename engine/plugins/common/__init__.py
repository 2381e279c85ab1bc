"""What the drop-in plugins share: the wire format, input checking, diffing and the gRPC server."""
