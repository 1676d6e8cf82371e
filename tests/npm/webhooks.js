/*
 * Checks a webhook with standardwebhooks, as who receives one does.
 *
 * Standard input is {"secret", "headers", "body"}; standard output is the payload, or {"error": text}.
 */
"use strict";

const { Webhook } = require("standardwebhooks");
const fs = require("fs");

const given = JSON.parse(fs.readFileSync(0, "utf8"));
let answer;

try {
	answer = new Webhook(given.secret).verify(given.body, given.headers);
} catch (error) {
	answer = { error: String(error.message) };
}
process.stdout.write(JSON.stringify(answer));
