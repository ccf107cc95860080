// One account read and changed with ImapFlow; prints what it saw as JSON.   check.mjs HOST PORT USER PASSWORD CA-FILE
import { readFileSync } from "node:fs";
import { ImapFlow } from "imapflow";

const [host, port, user, pass, ca] = process.argv.slice(2);
const client = new ImapFlow({
  host, port: Number(port), secure: true, auth: { user, pass }, tls: { ca: readFileSync(ca) }, logger: false,
});
const seen = {};

await client.connect();
seen.folders = (await client.list()).map((box) => [box.path, box.specialUse ?? ""]);
await client.mailboxCreate("Projects/2026");
for (const subject of ["one", "two", "three"])
  await client.append("Projects/2026", `Subject: ${subject}\r\nFrom: <flow@remote.test>\r\n\r\nbody of ${subject}\r\n`, ["\\Seen"]);

const lock = await client.getMailboxLock("Projects/2026");
try {
  seen.exists = client.mailbox.exists;
  seen.found = await client.search({ subject: "two" }, { uid: true });
  await client.messageFlagsAdd(seen.found, ["\\Flagged", "$Label1"], { uid: true });
  seen.flags = [...(await client.fetchOne(String(seen.found[0]), { flags: true }, { uid: true })).flags].sort();
  const moved = await client.messageMove("1", "Archive");
  seen.moved = [...moved.uidMap.keys()].length;
  seen.subjects = [];
  for await (const m of client.fetch("1:*", { envelope: true, bodyStructure: true, source: true }))
    seen.subjects.push([m.envelope.subject, m.bodyStructure.type, m.source.toString()]);
  await client.messageDelete({ subject: "three" });
  seen.left = (await client.status("Projects/2026", { messages: true })).messages;
} finally {
  lock.release();
}
seen.archive = (await client.status("Archive", { messages: true })).messages;
await client.logout();
console.log(JSON.stringify(seen));
