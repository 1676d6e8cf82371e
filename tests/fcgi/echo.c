/*
 * A FastCGI application on libfcgi itself, for the client's tests: it answers with what it was asked, and ends after as many
 * requests as its argument says.
 */
#include <fcgiapp.h>
#include <stdlib.h>
#include <string.h>

static void
answer(FCGX_Request *request)
{
	char buf[4096];
	int n;

	FCGX_FPrintF(request->err, "a word on the side\n");
	FCGX_FPrintF(request->out, "Status: 202 Accepted\r\nContent-Type: text/plain\r\nX-Echo: yes\r\n\r\n");
	for (char **variable = request->envp; *variable; variable++)
		FCGX_FPrintF(request->out, "%s\n", *variable);
	FCGX_FPrintF(request->out, "\n");
	while ((n = FCGX_GetStr(buf, sizeof buf, request->in)) > 0)
		FCGX_PutStr(buf, n, request->out);
}

int
main(int argc, char **argv)
{
	FCGX_Request request;
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
		return 1;
	for (; count > 0 && FCGX_Accept_r(&request) == 0; count--) {
		answer(&request);
		FCGX_Finish_r(&request);
	}
	return 0;
}
