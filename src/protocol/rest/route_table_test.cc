#include "protocol/rest/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost::rest {
namespace {

std::vector<RestRoute> Echo() {
  std::vector<RestRoute> routes;
  routes.push_back({.method = "GET",
                    .path = "/v1/things/{thing}",
                    .operation = "getThing",
                    .call = [](const RestCall& call) -> Result<HttpResponse> {
                      return JsonResponse(call.PathValue(0) + "|" +
                                          call.Query("q").value_or("none"));
                    }});
  routes.push_back(
      {.method = "DELETE",
       .path = "/v1/things/{thing}",
       .operation = "dropThing",
       .call = [](const RestCall&) -> Result<HttpResponse> { return NotFound("no such thing"); }});
  return routes;
}

HttpResponse Ask(const RouteTable& table, std::string method, std::string path,
                 std::string query = "") {
  HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.query = std::move(query);
  return table.Find(request)->handle(request);
}

TEST(RouteTable, HandsPathAndQueryDecodedToTheRoute) {
  const RouteTable table(Echo());
  EXPECT_EQ(Ask(table, "GET", "/v1/things/a%20b%2Fc", "x=1&q=%41+B").body, "a b/c|A B");
  EXPECT_EQ(Ask(table, "GET", "/v1/things/a").body, "a|none");
}

TEST(RouteTable, AnswersErrorsAsProblems) {
  const RouteTable table(Echo());
  const HttpResponse missing = Ask(table, "DELETE", "/v1/things/a");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.content_type, "application/problem+json");
  EXPECT_THAT(missing.body, testing::HasSubstr("no such thing"));
  EXPECT_EQ(Ask(table, "GET", "/v1/things/%zz").status, 400);
}

TEST(RouteTable, UnknownPathIs404AndWrongMethodIs405WithAllow) {
  const RouteTable table(Echo());
  EXPECT_EQ(Ask(table, "GET", "/v1/nothing").status, 404);
  EXPECT_EQ(Ask(table, "GET", "/v1/things/").status, 404);
  const HttpResponse wrong = Ask(table, "POST", "/v1/things/a");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_THAT(wrong.headers, testing::Contains(testing::Pair("allow", "DELETE, GET")));
}

TEST(PercentDecode, RefusesBrokenEscapes) {
  EXPECT_EQ(*PercentDecode("%41%2f", false), "A/");
  EXPECT_EQ(*PercentDecode("a+b", false), "a+b");
  for (const char* text : {"%", "%4", "%4g", "a%"}) {
    EXPECT_FALSE(PercentDecode(text, false).ok()) << text;
  }
}

}  // namespace
}  // namespace roost::rest
