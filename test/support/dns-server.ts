/** A DNS server for this process: every name leads to 127.0.0.1, or gets no answer. */
import { createSocket } from "node:dgram";
import dns from "node:dns";

/** Makes this process ask a server of its own. @returns puts things back */
export async function answerNames(how: "loopback" | "never"): Promise<() => void> {
  const socket = createSocket("udp4");
  socket.on("message", (question, from) => {
    if (how === "loopback") socket.send(answerTo(question), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const before = dns.getServers();
  dns.setServers([`127.0.0.1:${socket.address().port}`]);
  return () => {
    dns.setServers(before);
    socket.close();
  };
}

/** An A record for a question of type A, nothing for others. */
function answerTo(question: Buffer): Buffer {
  const endOfName = question.indexOf(0, 12) + 1;
  const isA = question.readUInt16BE(endOfName) === 1;
  const head = Buffer.from(question.subarray(0, endOfName + 4));
  head.writeUInt16BE(0x8180, 2); // an answer, without error
  head.writeUInt16BE(isA ? 1 : 0, 6);
  head.writeUInt32BE(0, 8); // no further sections
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1]);
  return isA ? Buffer.concat([head, record]) : head;
}
