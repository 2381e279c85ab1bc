// The rendezvous store in Redis that Debian's build of Caffe2 leaves out: the class that the installed header
// declares, and its operator. A key is the prefix (the trainer's run id) followed by the name.

#include <caffe2/distributed/redis_store_handler_op.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <thread>

namespace caffe2 {

namespace {

using std::chrono::milliseconds;

constexpr timeval kConnectTimeout = {5, 0};
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{200};

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

// Sends one command; arguments may hold any bytes. A broken connection, an error from the server (it may be
// read-only, or want a password) and a reply of another type than `type` are errors.
Reply request(redisContext* redis, const std::vector<std::string>& words, int type) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const auto& word : words) {
    texts.push_back(word.data());
    lengths.push_back(word.size());
  }
  Reply reply(
      static_cast<redisReply*>(
          redisCommandArgv(redis, static_cast<int>(words.size()), texts.data(), lengths.data())),
      &freeReplyObject);
  CAFFE_ENFORCE(reply, "Redis did not answer ", words[0], ": ", redis->errstr);
  CAFFE_ENFORCE(
      reply->type != REDIS_REPLY_ERROR,
      "Redis refused ", words[0], ": ", std::string(reply->str, reply->len));
  CAFFE_ENFORCE_EQ(reply->type, type, "Redis answered ", words[0], " with another type than expected");
  return reply;
}

// The prefix as a pattern for SCAN, in which these characters would have a meaning of their own.
std::string scanPattern(const std::string& prefix) {
  std::string pattern;
  for (char c : prefix) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') {
      pattern += '\\';
    }
    pattern += c;
  }
  return pattern + "*";
}

} // namespace

RedisStoreHandler::RedisStoreHandler(std::string& host, int port, std::string& prefix)
    : host_(host), port_(port), prefix_(prefix), redis_(nullptr) {
  redis_ = redisConnectWithTimeout(host_.c_str(), port_, kConnectTimeout);
  CAFFE_ENFORCE(redis_ != nullptr, "No memory for a connection to Redis");
  if (redis_->err != 0) {
    const std::string reason = redis_->errstr;
    redisFree(redis_); // a constructor that throws gets no destructor call
    redis_ = nullptr;
    CAFFE_THROW("Redis at ", host_, ":", port_, ": ", reason);
  }
}

RedisStoreHandler::~RedisStoreHandler() {
  redisFree(redis_);
}

std::string RedisStoreHandler::compoundKey(const std::string& name) {
  return prefix_ + name;
}

// A key is written once. Overwriting would let a second job with the same run id mix with the first.
void RedisStoreHandler::set(const std::string& name, const std::string& data) {
  const auto reply = request(redis_, {"SETNX", compoundKey(name), data}, REDIS_REPLY_INTEGER);
  CAFFE_ENFORCE_EQ(
      reply->integer, 1,
      "Value at ", name, " was already set in Redis under prefix '", prefix_,
      "' (was this run_id used before?)");
}

std::string RedisStoreHandler::get(const std::string& name, const milliseconds& timeout) {
  wait({name}, timeout);
  const auto reply = request(redis_, {"GET", compoundKey(name)}, REDIS_REPLY_STRING);
  return std::string(reply->str, reply->len);
}

int64_t RedisStoreHandler::add(const std::string& name, int64_t value) {
  return request(redis_, {"INCRBY", compoundKey(name), std::to_string(value)}, REDIS_REPLY_INTEGER)->integer;
}

int64_t RedisStoreHandler::getNumKeys() {
  const std::string pattern = scanPattern(prefix_);
  std::vector<std::string> keys; // SCAN may name a key twice
  std::string cursor = "0";
  do {
    const auto reply = request(redis_, {"SCAN", cursor, "MATCH", pattern}, REDIS_REPLY_ARRAY);
    cursor.assign(reply->element[0]->str, reply->element[0]->len);
    const redisReply* page = reply->element[1];
    for (size_t i = 0; i < page->elements; ++i) {
      keys.emplace_back(page->element[i]->str, page->element[i]->len);
    }
  } while (cursor != "0");
  std::sort(keys.begin(), keys.end());
  return std::unique(keys.begin(), keys.end()) - keys.begin();
}

bool RedisStoreHandler::deleteKey(const std::string& key) {
  return request(redis_, {"DEL", compoundKey(key)}, REDIS_REPLY_INTEGER)->integer == 1;
}

bool RedisStoreHandler::check(const std::vector<std::string>& names) {
  std::vector<std::string> words = {"EXISTS"};
  for (const auto& name : names) {
    words.push_back(compoundKey(name));
  }
  return request(redis_, words, REDIS_REPLY_INTEGER)->integer == static_cast<long long>(names.size());
}

void RedisStoreHandler::wait(const std::vector<std::string>& names, const milliseconds& timeout) {
  const auto start = std::chrono::steady_clock::now();
  milliseconds pause = kFirstPause;
  while (!check(names)) {
    if (timeout != kNoTimeout && std::chrono::steady_clock::now() - start > timeout) {
      STORE_HANDLER_TIMEOUT("Wait timeout for name(s): ", c10::Join(" ", names));
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

OPERATOR_SCHEMA(RedisStoreHandlerCreate)
    .NumInputs(0)
    .NumOutputs(1)
    .SetDoc("Creates a StoreHandler that keeps its keys in Redis.")
    .Arg("host", "name or address of the Redis server")
    .Arg("port", "port of the Redis server")
    .Arg("prefix", "put before every key; the run id")
    .Output(0, "handler", "unique_ptr<StoreHandler>");

REGISTER_CPU_OPERATOR(RedisStoreHandlerCreate, RedisStoreHandlerCreateOp<CPUContext>);

NO_GRADIENT(RedisStoreHandlerCreate);

} // namespace caffe2
