// What needs no server: addresses, error classes, the binary format.

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/pg_codec.h"
#include "net/pg_connection.h"
#include "net/pg_error.h"

namespace roost {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(PgUri, ReadsBothForms) {
  for (const char* text :
       {"postgresql://me:p%40ss@one:6000,two:7000/books?sslmode=require&connect_timeout=3",
        "host=one,two port=6000,7000 user=me password=p@ss dbname=books sslmode=require "
        "connect_timeout=3"}) {
    const auto options = ParsePgUri(text);
    ASSERT_TRUE(options.ok()) << options.error().ToString();
    ASSERT_EQ(options->hosts.size(), 2u);
    EXPECT_EQ(options->hosts[0].host, "one");
    EXPECT_EQ(options->hosts[0].port, 6000);
    EXPECT_EQ(options->hosts[1].host, "two");
    EXPECT_EQ(options->hosts[1].port, 7000);
    EXPECT_EQ(options->user, "me");
    EXPECT_EQ(options->password, "p@ss");
    EXPECT_EQ(options->database, "books");
    EXPECT_EQ(options->ssl_mode, "require");
    EXPECT_EQ(options->connect_timeout, std::chrono::seconds(3));
  }
}

TEST(PgUri, RefusesWhatItCannotReadWithoutRepeatingIt) {
  for (const char* text :
       {"postgresql://me:secret@host:port/x", "postgresql://me:secret@[::1/x", "secret",
        "postgresql://me:secret@h:99999/x", "host=a,b,c port=1,2 password=secret",
        "postgresql://me:secret@h/x?service=secret", "postgresql://me:secret@h/x?nonsense=secret",
        "postgresql://me:secret%zz@h/x"}) {
    const auto options = ParsePgUri(text);
    ASSERT_FALSE(options.ok()) << text;
    EXPECT_EQ(options.code(), Code::kInvalidArgument) << text;
    EXPECT_THAT(options.error().message, Not(HasSubstr("secret"))) << text;
  }
}

TEST(PgError, ClassesTellWhatToDo) {
  struct Row {
    const char* state;
    Code code;
  };
  for (const Row& row : {
           Row{"53100", Code::kResourceExhausted},  // disk full
           Row{"53200", Code::kResourceExhausted},  // out of memory
           Row{"53300", Code::kResourceExhausted},  // too many connections
           Row{"25006", Code::kUnavailable},        // read-only: a standby
           Row{"57P01", Code::kUnavailable},        // the administrator ends the session
           Row{"57P02", Code::kUnavailable},        // another session crashed
           Row{"57P03", Code::kUnavailable},        // starting up
           Row{"08006", Code::kUnavailable},
           Row{"57014", Code::kDeadlineExceeded},  // cancelled
           Row{"40001", Code::kAborted},
           Row{"40P01", Code::kAborted},  // deadlock
           Row{"55P03", Code::kAborted},  // lock timeout
           Row{"28P01", Code::kUnauthenticated},
           Row{"42501", Code::kPermissionDenied},
           Row{"42P01", Code::kNotFound},
           Row{"23505", Code::kAlreadyExists},
           Row{"22003", Code::kInvalidArgument},
           Row{"54000", Code::kInvalidArgument},
           Row{"42601", Code::kInternal},  // our statement
           Row{"XX001", Code::kDataLoss},
           Row{"ZZ999", Code::kUnknown},
       }) {
    EXPECT_EQ(PgErrorCode(row.state), row.code) << row.state;
  }
}

TEST(PgError, NamesTheStateAndTheHint) {
  const Error error =
      PgError("53100", "could not extend file: No space left on device", "Check free disk space.");
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  EXPECT_EQ(error.message,
            "PostgreSQL: could not extend file: No space left on device (53100); Check free disk "
            "space.");
}

TEST(PgError, RefusedConnectionsAreTold) {
  const Error refused = PgConnectError(
      "db:5432",
      "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  28P01: "
      "password authentication failed for user \"me\"\nLOCATION:  auth_failed, auth.c");
  EXPECT_EQ(refused.code, Code::kUnauthenticated);
  EXPECT_EQ(
      refused.message,
      "PostgreSQL at db:5432: password authentication failed for user \"me\" (28P01); check user "
      "and password of the address");
  const Error absent =
      PgConnectError("db:5432", "connection to server failed: Connection refused\n\tIs it up?\n");
  EXPECT_EQ(absent.code, Code::kUnavailable);
  EXPECT_THAT(absent.message, HasSubstr("db:5432: connection to server failed"));
  EXPECT_THAT(absent.message, Not(HasSubstr("\n")));
}

TEST(PgCodec, ReadsWhatItWrites) {
  PgWriter writer;
  writer.Uint8(200);
  writer.Int16(-2);
  writer.Int64(std::numeric_limits<int64_t>::min());
  writer.Float(-0.0f);
  writer.Double(1e-320);
  const size_t begin = writer.BeginSized();
  writer.Bytes("abc");
  writer.EndSized(begin);
  const std::string bytes = writer.Take();
  PgReader reader(bytes);
  EXPECT_EQ(reader.Uint8(), 200);
  EXPECT_EQ(reader.Int16(), -2);
  EXPECT_EQ(reader.Int64(), std::numeric_limits<int64_t>::min());
  EXPECT_TRUE(std::signbit(reader.Float()));
  EXPECT_EQ(reader.Double(), 1e-320);
  EXPECT_EQ(reader.Int32(), 3);
  EXPECT_EQ(reader.Bytes(3), "abc");
  EXPECT_TRUE(reader.done());
}

TEST(PgCodec, TooFewBytesReadAsNothing) {
  PgReader reader("abc");
  EXPECT_EQ(reader.Int64(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.Bytes(1), "");
  PgReader huge("abc");
  EXPECT_EQ(huge.Bytes(std::numeric_limits<size_t>::max()), "");
  EXPECT_FALSE(huge.ok());
}

TEST(PgCodec, NamesAreQuoted) { EXPECT_EQ(PgQuoteName("a\"b; --"), "\"a\"\"b; --\""); }

}  // namespace
}  // namespace roost
