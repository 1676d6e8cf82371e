#include "config.h"

#include "backup/store/s3-sign.h"

#include <glib.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct {
	const char *name;
	const char *method;
	const char *path; /* raw */
	HfPair query[3];
	HfPair headers[6];
	const char *body;
	const char *signed_headers;
	const char *signature;
} Vector;

/*
 * AWS Signature Version 4 Test Suite (AWS General Reference): key AKIDEXAMPLE, 20150830T123600Z, us-east-1, "service".
 * The cases that normalise paths are left out: S3 does not ("Create a signed AWS API request", the note on S3).
 */
static const Vector suite[] = {
	{"get-vanilla",
	 "GET",
	 "/",
	 {{0}},
	 {{0}},
	 "",
	 "host;x-amz-date",
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-vanilla-query-order-key-case",
	 "GET",
	 "/",
	 {{"Param2", "value2"}, {"Param1", "value1"}},
	 {{0}},
	 "",
	 "host;x-amz-date",
	 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-order-value",
	 "GET",
	 "/",
	 {{"Param1", "value2"}, {"Param1", "value1"}},
	 {{0}},
	 "",
	 "host;x-amz-date",
	 "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
	{"get-vanilla-empty-query-key",
	 "GET",
	 "/",
	 {{"Param1", "value1"}},
	 {{0}},
	 "",
	 "host;x-amz-date",
	 "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-utf8-query",
	 "GET",
	 "/",
	 {{"\xe1\x88\xb4", "bar"}},
	 {{0}},
	 "",
	 "host;x-amz-date",
	 "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-unreserved",
	 "GET",
	 "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	 {{0}},
	 {{0}},
	 "",
	 "host;x-amz-date",
	 "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-utf8",
	 "GET",
	 "/\xe1\x88\xb4",
	 {{0}},
	 {{0}},
	 "",
	 "host;x-amz-date",
	 "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-header-key-duplicate",
	 "GET",
	 "/",
	 {{0}},
	 {{"my-header1", "value2"}, {"my-header1", "value2"}, {"my-header1", "value1"}},
	 "",
	 "host;my-header1;x-amz-date",
	 "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-order",
	 "GET",
	 "/",
	 {{0}},
	 {{"my-header1", "value4"},
	  {"my-header1", "value1"},
	  {"my-header1", "value3"},
	  {"my-header1", "value2"}},
	 "",
	 "host;my-header1;x-amz-date",
	 "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{"get-header-value-trim",
	 "GET",
	 "/",
	 {{0}},
	 {{"my-header1", " value1"}, {"my-header2", " \"a   b   c\""}},
	 "",
	 "host;my-header1;my-header2;x-amz-date",
	 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"post-vanilla",
	 "POST",
	 "/",
	 {{0}},
	 {{0}},
	 "",
	 "host;x-amz-date",
	 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-header-key-sort",
	 "POST",
	 "/",
	 {{0}},
	 {{"my-header1", "value1"}},
	 "",
	 "host;my-header1;x-amz-date",
	 "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"post-x-www-form-urlencoded",
	 "POST",
	 "/",
	 {{0}},
	 {{"content-type", "application/x-www-form-urlencoded"}},
	 "Param1=value1",
	 "content-type;host;x-amz-date",
	 "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

/*
 * Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in a Single
 * Chunk", the four examples: key AKIAIOSFODNN7EXAMPLE, 20130524T000000Z, us-east-1.
 */
static const Vector examples[] = {
	{"get-object",
	 "GET",
	 "/test.txt",
	 {{0}},
	 {{"range", "bytes=0-9"}},
	 "",
	 "host;range;x-amz-content-sha256;x-amz-date",
	 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
	{"put-object",
	 "PUT",
	 "/test$file.text",
	 {{0}},
	 {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
	 "Welcome to Amazon S3.",
	 "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	 "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
	{"get-bucket-lifecycle",
	 "GET",
	 "/",
	 {{"lifecycle", ""}},
	 {{0}},
	 "",
	 "host;x-amz-content-sha256;x-amz-date",
	 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
	{"list-objects",
	 "GET",
	 "/",
	 {{"prefix", "J"}, {"max-keys", "2"}},
	 {{0}},
	 "",
	 "host;x-amz-content-sha256;x-amz-date",
	 "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

typedef struct {
	const char *access_key, *secret, *service, *host, *time;
	bool signs_payload_header;
} Account;

static void
check(const Vector *vector, const Account *account)
{
	HfSha256Hex sha256 = hf_s3_sign_sha256(vector->body, strlen(vector->body));
	g_autofree char *path = hf_s3_sign_escape(vector->path, true);
	g_autofree char *query = hf_s3_sign_query(vector->query);
	g_autofree char *date = g_strndup(account->time, 8);
	g_autoptr(HfSecret) secret = hf_secret_new(account->secret, strlen(account->secret), "secret", NULL);
	HfAccessKey key = {account->access_key, secret, NULL};
	HfPair headers[10] = {{"x-amz-date", account->time}, {"host", account->host}};
	HfSignRequest request = {vector->method,   path,         query, headers, sha256.text, "us-east-1",
				 account->service, account->time};
	size_t count = 2;

	if (account->signs_payload_header)
		headers[count++] = (HfPair){"x-amz-content-sha256", sha256.text};
	for (const HfPair *header = vector->headers; header->name; header++)
		headers[count++] = *header;
	g_autofree char *got = hf_s3_sign_authorization(&request, &key);
	g_autofree char *expected = g_strdup_printf(
		"AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		account->access_key, date, account->service, vector->signed_headers, vector->signature);
	g_assert_cmpstr(got, ==, expected);
}

static void
test_suite_vector(gconstpointer data)
{
	static const Account account = {"AKIDEXAMPLE",      "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
					"service",          "example.amazonaws.com",
					"20150830T123600Z", false};

	check(data, &account);
}

static void
test_example(gconstpointer data)
{
	static const Account account = {"AKIAIOSFODNN7EXAMPLE",
					"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
					"s3",
					"examplebucket.s3.amazonaws.com",
					"20130524T000000Z",
					true};

	check(data, &account);
}

static void
test_escape_keeps_nothing_but_the_unreserved(void)
{
	g_autofree char *kept = hf_s3_sign_escape("a/b c+d%e\xc3\xa9~", true);
	g_autofree char *all = hf_s3_sign_escape("a/b", false);

	g_assert_cmpstr(kept, ==, "a/b%20c%2Bd%25e%C3%A9~");
	g_assert_cmpstr(all, ==, "a%2Fb");
}

static void
test_a_query_is_sorted_by_name_before_value(void)
{
	static const HfPair pairs[] = {{"a-b", "1"}, {"a", "2"}, {"a0", "3"}, {NULL, NULL}};
	g_autofree char *query = hf_s3_sign_query(pairs);

	g_assert_cmpstr(query, ==, "a=2&a-b=1&a0=3");
}

static void
test_time_is_utc(void)
{
	g_autofree char *time = hf_s3_sign_time(1369353600);

	g_assert_cmpstr(time, ==, "20130524T000000Z");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(suite); i++) {
		g_autofree char *path = g_strconcat("/s3-sign/aws-suite/", suite[i].name, NULL);

		g_test_add_data_func(path, &suite[i], test_suite_vector);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(examples); i++) {
		g_autofree char *path = g_strconcat("/s3-sign/s3-example/", examples[i].name, NULL);

		g_test_add_data_func(path, &examples[i], test_example);
	}
	g_test_add_func("/s3-sign/escape-keeps-nothing-but-the-unreserved",
			test_escape_keeps_nothing_but_the_unreserved);
	g_test_add_func("/s3-sign/a-query-is-sorted-by-name-before-value",
			test_a_query_is_sorted_by_name_before_value);
	g_test_add_func("/s3-sign/time-is-utc", test_time_is_utc);
	return g_test_run();
}
