/*
 * GET /made and GET /kept: the status of Holdfast's API as a Node/Express application would answer it, for bench/api.sh.
 *
 * usage: server.js REPLY SOCKET WORKERS      JWT_SECRET in the environment; "ready" on standard output when all listen
 *
 * Both check the administrator's token with jsonwebtoken.  "made" keeps the catalogue as rows in memory, groups them by day
 * and lets Express make the JSON, as such handlers are written; "kept" sends a text that was made beforehand, without an
 * ETag: the least that Express can do.
 */
"use strict";

const cluster = require("cluster");
const fs = require("fs");
const express = require("express");
const jwt = require("jsonwebtoken");

const [reply_file, socket, workers] = process.argv.slice(2);

function administrator(req, res, next) {
	const header = req.headers.authorization || "";
	if (!header.startsWith("Bearer "))
		return res.status(401).json({ success: false, error: "no token" });
	try {
		const claims = jwt.verify(header.slice(7), process.env.JWT_SECRET, { algorithms: ["HS256"] });
		if (claims.role !== "admin")
			return res.status(403).json({ success: false, error: "not an administrator" });
		return next();
	} catch (error) {
		return res.status(401).json({ success: false, error: error.message });
	}
}

function serve() {
	const text = fs.readFileSync(reply_file, "utf8");
	const { backupGroups, ...rest } = JSON.parse(text);
	const rows = Object.entries(backupGroups).flatMap(([day, list]) => list.map((row) => ({ day, row })));
	const app = express();

	app.get("/made", administrator, (req, res) => {
		const groups = {};
		for (const { day, row } of rows)
			(groups[day] = groups[day] || []).push(row);
		res.json({ ...rest, backupGroups: groups });
	});
	app.get("/kept", administrator, (req, res) => {
		res.set("Content-Type", "application/json");
		res.end(text);
	});
	app.listen(socket, () => process.send("ready"));
}

function lead() {
	let ready = 0;
	for (let i = 0; i < Number(workers); i++)
		cluster.fork().on("message", () => {
			if (++ready === Number(workers))
				process.stdout.write("ready\n");
		});
	process.on("SIGTERM", () => {
		for (const worker of Object.values(cluster.workers))
			worker.process.kill("SIGKILL");
		process.exit(0);
	});
}

if (cluster.isPrimary)
	lead();
else
	serve();
