// The paths of the table on node's own server, with nothing between.
import { createServer } from 'node:http';

const page = (type, body) => ({ methods: ['GET', 'HEAD'], type, body });
const routes = {
  '/': page('text/html; charset=utf-8', '<!doctype html><p>Hello'),
  '/plaintext': page('text/plain', 'Hello, World!'),
  '/login': { methods: ['POST'] },
};

function answer(request, response, status, fields, body = '') {
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(body), ...fields });
  response.end(body);
}

// Of a target in origin form or in absolute form.
function pathOf(target) {
  if (target.startsWith('/')) return target.split('?')[0];
  return /^https?:\/\/[^/?#]/i.test(target) && URL.canParse(target) ? new URL(target).pathname : '';
}

async function login(request, response) {
  let body = '';
  for await (const piece of request) body += piece;
  const name = new URLSearchParams(body).get('username');
  if (name) answer(request, response, 303, { Location: '/plain' });
  else answer(request, response, 400, { 'Content-Type': 'text/plain' }, 'who?\n');
}

const server = createServer((request, response) => {
  request.on('error', () => {});
  if (request.url === '*') return response.writeHead(204, { Allow: 'GET, HEAD, POST, OPTIONS' }).end();
  const path = pathOf(request.url);
  const route = Object.hasOwn(routes, path) ? routes[path] : null;
  if (!route) return answer(request, response, 404, { 'Content-Type': 'text/plain' }, 'not here\n');
  const allow = [...route.methods, 'OPTIONS'].join(', ');
  if (request.method === 'OPTIONS') return response.writeHead(204, { Allow: allow }).end();
  if (!route.methods.includes(request.method)) return answer(request, response, 405, { Allow: allow });
  if (path === '/login') return login(request, response).catch(() => {});
  answer(request, response, 200, { 'Content-Type': route.type }, route.body);
});
server.listen(Number(process.argv[2]), '127.0.0.1');
