// A chat on Socket.IO 4 with connection state recovery: node chat_socketio.mjs PORT. Packages come from TOOLS.
//
// A message is acknowledged and sent to all, as the documentation of Socket.IO has it. Recovery needs the default adapter,
// which keeps the packets of the last two minutes in memory.

import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Server } = createRequire(process.env.TOOLS + "/")("socket.io");
const http = createServer();
const chat = new Server(http, { connectionStateRecovery: {}, transports: ["websocket"], serveClient: false });

chat.on("connection", (member) => {
  const name = String(member.handshake.auth.name);
  member.on("say", (text, acknowledge) => {
    chat.emit("message", name, text);
    acknowledge();
  });
});
http.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
