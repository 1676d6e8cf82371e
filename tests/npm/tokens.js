/*
 * Makes and checks tokens with jsonwebtoken, as an application's server does.
 *
 * Standard input is a JSON array; each item is {"sign": {"payload", "key", "options"}} or {"verify": {"token", "key",
 * "options"}}.  Standard output is the array of tokens and payloads, or {"error": text}.
 */
"use strict";

const jwt = require("jsonwebtoken");
const fs = require("fs");

function answer(item) {
	try {
		if (item.sign)
			return jwt.sign(item.sign.payload, item.sign.key, item.sign.options);
		return jwt.verify(item.verify.token, item.verify.key, item.verify.options);
	} catch (error) {
		return { error: String(error.message) };
	}
}

process.stdout.write(JSON.stringify(JSON.parse(fs.readFileSync(0, "utf8")).map(answer)));
