'use strict';
// A gateway in Node: http-proxy with connections that are kept alive. Started with the path of a
// JSON file, see bench/lineup.py.

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const httpProxy = require('http-proxy');

const given = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const WINDOW = 60_000;
const counts = new Map();
let lines = [];

const agent = new http.Agent({ keepAlive: true, maxSockets: 1024, maxFreeSockets: 1024 });
const proxy = httpProxy.createProxyServer({ target: given.upstream, agent });

function say(response, status, description) {
  const body = JSON.stringify({ ok: false, error_code: status, description });
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(body);
}

function count(key) {
  const now = Date.now();
  const start = now - (now % WINDOW);
  let state = counts.get(key.id);
  if (!state || state.start !== start) {
    state = { start, calls: 0 };
    counts.set(key.id, state);
  }
  state.calls += 1;
  return { remaining: key.per_minute - state.calls, reset: (start + WINDOW) / 1000 };
}

proxy.on('proxyReq', (outgoing) => outgoing.removeHeader('X-API-Key'));

proxy.on('proxyRes', (answer, request, response) => {
  lines.push(JSON.stringify([request.began, request.keyId, request.method, answer.statusCode,
    Date.now() - request.began]));
  response.setHeader('X-RateLimit-Limit', request.limit);
  response.setHeader('X-RateLimit-Remaining', request.left.remaining);
  response.setHeader('X-RateLimit-Reset', request.left.reset);
});

proxy.on('error', (error, request, response) => {
  if (!response.headersSent) say(response, 502, 'Bad Gateway');
});

setInterval(() => {
  if (!lines.length) return;
  fs.appendFile(given.log, `${lines.join('\n')}\n`, () => {});
  lines = [];
}, 500);

const server = http.createServer((request, response) => {
  const secret = request.headers['x-api-key'] || '';
  const key = given.keys[createHash('sha256').update(secret).digest('hex')];
  if (!key) return say(response, 401, 'Unauthorized');
  const left = count(key);
  if (left.remaining < 0) return say(response, 429, 'Too Many Requests');
  const [, , , , bot, method] = request.url.split('/');
  const token = given.bots[bot];
  if (!token) return say(response, 404, 'Not Found');
  request.began = Date.now();
  request.keyId = key.id;
  request.limit = key.per_minute;
  request.left = left;
  request.url = `/bot${token}/${method}`;
  return proxy.web(request, response);
});
server.keepAliveTimeout = 600_000;
server.listen(given.port, '127.0.0.1', 2048);
