"""Thunderbird in a window of its own, without anybody in front of it.

It is driven over Marionette, the remote control that Mozilla's programs carry: the scripts below run inside it and use the same
interfaces as its buttons do.
"""
import base64
import json
import os
import pathlib
import re
import socket
import subprocess

from harness import wait_for

START_SECONDS = 120
SCRIPT_SECONDS = 60

PREFS = {
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    "mail.rights.version": 1,
    "mailnews.start_page.enabled": False,
    "mailnews.auto_config.fetchFromISP.enabled": False,
    "mailnews.database.global.indexer.enabled": False,
    "messenger.startup.action": 0,
    "network.manage-offline-status": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}

# What every script starts with. callback(value) ends it.
PRELUDE = """
const done = arguments[arguments.length - 1];
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = () => MailServices.accounts.accounts.find((a) => a.incomingServer.type == "imap").incomingServer;
const root = () => server().rootFolder;
const all = (folder) => [folder, ...folder.subFolders.flatMap(all)];
const named = (name) => all(root()).find((f) => f.name.toLowerCase() == name.toLowerCase());
const messages = (folder) => [...folder.messages];
const listener = (then) => ({
  QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener", "nsIMsgSearchNotify"]),
  OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { then(status); },
  onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() {}, onStopCopy(status) { then(status); },
  OnStartCopy() {}, OnProgress() {}, SetMessageKey() {}, GetMessageId() {}, OnStopCopy(status) { then(status); },
});
const update = (folder) => new Promise((then) => folder.QueryInterface(Ci.nsIMsgImapMailFolder).updateFolderWithListener(null, listener(then)));
(async () => { SCRIPT })().then(done, (problem) => done({ problem: String(problem) + problem.stack }));
"""


class Thunderbird:
    def __init__(self, folder, ca):
        self.profile = pathlib.Path(folder) / "thunderbird"
        self.ca = ca
        self.screen = self.process = self.control = None
        self.number = 0

    def __enter__(self):
        self.profile.mkdir()
        with socket.socket() as s:  # a free one
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        prefs = dict(PREFS, **{"marionette.port": port})
        (self.profile / "user.js").write_text("".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in prefs.items()))
        read, write = os.pipe()
        self.screen = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-nolisten", "tcp"], pass_fds=[write],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as f:
            display = f.readline().strip()
        self.log = open(self.profile / "log", "wb")
        self.process = subprocess.Popen(["thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(self.profile)],
                                        env=dict(os.environ, DISPLAY=f":{display}", HOME=str(self.profile), MOZ_CRASHREPORTER_DISABLE="1"),
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        try:
            self.connect(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def connect(self, port):
        def try_to():
            assert self.process.poll() is None, (self.profile / "log").read_text(errors="replace")[-3000:]
            try:
                return socket.create_connection(("127.0.0.1", port), SCRIPT_SECONDS + 30)
            except OSError:
                return None
        self.control = wait_for("Thunderbird listens to Marionette", try_to, START_SECONDS, 0.2)
        self.buffer = b""
        self.receive()  # its greeting
        self.ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": False}}})
        self.ask("Marionette:SetContext", {"value": "chrome"})
        self.ask("WebDriver:SetTimeouts", {"script": SCRIPT_SECONDS * 1000})

    def __exit__(self, *rest):
        for process in (self.process, self.screen):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self.control:
            self.control.close()
        self.log.close()

    # --- Marionette: "length:json", where json is [0, id, command, parameters] and [1, id, error, result] ---
    def receive(self):
        while b":" not in self.buffer or len(self.buffer) < int(self.buffer.split(b":", 1)[0]) + self.buffer.index(b":") + 1:
            more = self.control.recv(65536)
            assert more, "Thunderbird hung up"
            self.buffer += more
        size, rest = self.buffer.split(b":", 1)
        text, self.buffer = rest[:int(size)], rest[int(size):]
        return json.loads(text)

    def ask(self, command, parameters):
        self.number += 1
        text = json.dumps([0, self.number, command, parameters]).encode()
        self.control.sendall(b"%d:%s" % (len(text), text))
        kind, number, error, result = self.receive()
        assert number == self.number and not error, error
        return result

    def run(self, script, *arguments):
        value = self.ask("WebDriver:ExecuteAsyncScript",
                         {"script": PRELUDE.replace("SCRIPT", script), "args": list(arguments), "newSandbox": True})["value"]
        assert not (isinstance(value, dict) and "problem" in value), value
        return value

    # --- what a user does ---
    def add_account(self, host, port, user, password):
        der = re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END", pathlib.Path(self.ca).read_text(), re.S).group(1)
        self.run("""
            Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(arguments[4], "C,,");
            const s = MailServices.accounts.createIncomingServer(arguments[2], arguments[0], "imap");
            s.port = arguments[1];
            s.socketType = Ci.nsMsgSocketType.SSL;
            s.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
            s.password = arguments[3];
            s.prettyName = "test";
            const account = MailServices.accounts.createAccount();
            account.incomingServer = s;
            const identity = MailServices.accounts.createIdentity();
            identity.email = arguments[2];
            account.addIdentity(identity);
            MailServices.accounts.defaultAccount = account;
            s.performExpand(null);
        """, host, port, user, password, base64.b64encode(base64.b64decode(der)).decode())

    def folders(self):
        return [{"Inbox": "INBOX"}.get(name, name) for name in self.run("return all(root()).slice(1).map((f) => f.name);")]

    def messages(self, folder, update=True):
        return self.run("""
            const f = named(arguments[0]);
            if (arguments[1]) await update(f);
            return messages(f).map((m) => m.mime2DecodedSubject);
        """, folder, update)

    def body(self, folder, subject):
        return self.run("""
            const f = named(arguments[0]);
            const m = messages(f).find((m) => m.mime2DecodedSubject == arguments[1]);
            const service = MailServices.messageServiceFromURI(f.getUriForMsg(m));
            return await new Promise((then) => {
              let text = "";
              const stream = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
              service.streamMessage(f.getUriForMsg(m), {
                QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]), onStartRequest() {}, onStopRequest() { then(text); },
                onDataAvailable(request, input, at, n) { stream.init(input); text += stream.read(n); },
              }, null, null, false, "", false);
            });
        """, folder, subject)

    def mark_read(self, folder, subject):
        self.run("""
            const f = named(arguments[0]);
            f.markMessagesRead(messages(f).filter((m) => m.mime2DecodedSubject == arguments[1]), true);
        """, folder, subject)

    def move(self, folder, subject, to):
        status = self.run("""
            const f = named(arguments[0]);
            const chosen = messages(f).filter((m) => m.mime2DecodedSubject == arguments[1]);
            return await new Promise((then) =>
              MailServices.copy.copyMessages(f, chosen, named(arguments[2]), true, listener(then), null, false));
        """, folder, subject, to)
        assert status == 0, hex(status)

    def search(self, folder, word):
        """On the server, by body or subject, as its search window does."""
        return self.run("""
            const f = named(arguments[0]);
            const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
            session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, f);
            const term = session.createTerm();
            const value = term.value;
            term.attrib = value.attrib = Ci.nsMsgSearchAttrib.Subject;
            term.op = Ci.nsMsgSearchOp.Contains;
            value.str = arguments[1];
            term.value = value;
            session.appendTerm(term);
            return await new Promise((then) => {
              const found = [];
              session.registerListener({
                QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]), onNewSearch() {},
                onSearchHit(m) { found.push(m.mime2DecodedSubject); }, onSearchDone() { then(found); },
              }, Ci.nsIMsgSearchSession.allNotifications);
              session.search(null);
            });
        """, folder, word)
