// node.mjs PORT: Node's http with the package ws from the folder TOOLS, and the deadlines it has set to those of squall.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'

const { WebSocketServer } = createRequire(`${process.env.TOOLS}/`)('ws')

const limits = { headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 15_000, connectionsCheckingInterval: 500 }
const server = createServer(limits, (request, response) => {
  request.resume()
  request.on('error', () => {})
  request.on('end', () => {
    const found = ['/', '/plaintext', '/login'].includes(request.url)
    response.writeHead(found ? 200 : 404, { 'Content-Type': 'text/plain', 'Content-Length': 13 })
    response.end('Hello, World!')
  })
})

const sockets = { echo: new WebSocketServer({ noServer: true }), chat: new WebSocketServer({ noServer: true }) }
for (const [name, maxPayload] of [['echo', 16 << 20], ['chat', 64 << 10]]) sockets[name].options.maxPayload = maxPayload
sockets.echo.on('connection', (socket) => {
  socket.on('error', () => {})
  socket.on('message', (data, binary) => socket.send(data, { binary }))
})
sockets.chat.on('connection', (socket) => {
  socket.on('error', () => {})
  socket.on('message', (data) => sockets.chat.clients.forEach((member) => member.send(data, { binary: false })))
})
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => {})
  const room = { '/echo': sockets.echo, '/chat/': sockets.chat }[request.url]
  if (!room) return socket.destroy()
  room.handleUpgrade(request, socket, head, (socket) => room.emit('connection', socket))
})
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 })
