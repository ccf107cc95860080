"""TLS for mail that leaves, as its destination publishes it: DANE (RFC 7672), MTA-STS (RFC 8461), REQUIRETLS (RFC 8689), and
reports about what came of it (RFC 8460). One golub, servers of several kinds at addresses beside each other, a signed zone and
one that is not."""
import email
import gzip
import json
import re
import smtplib
import subprocess
import time

import pytest

import tls_peers
from harness import Golub, message, wait_for
from network import PREFIX, Network, sh

GOOD, OWN, PLAIN, WEB = (PREFIX + str(n) for n in (11, 12, 13, 14))
WRONG = "3 1 1 " + "00" * 32

# domain: its MX hosts, by preference. In `test`, which is signed: (host, address, TLSA records)
SIGNED = {
    "good": [("mx1", GOOD, ["{good}"])],
    "rolled": [("mx2", GOOD, [WRONG, "{good}"])],  # the old key and the new one
    "stale": [("mx3", GOOD, [WRONG]), ("mx1", GOOD, [])],
    "wrong": [("mx4", OWN, [WRONG])],
    "hidden": [("mx5", GOOD, []), ("mx1", GOOD, [])],  # TLSA records below a delegation that DNSSEC calls forged
    "stripped": [("mx6", PLAIN, ["{good}"])],
    "own": [("mx7", OWN, ["{own}"])],
    "waived": [("mx8", OWN, [WRONG])],
    "web": [("web", WEB, [])],
}
POLICY = "version: STSv1\nmode: {}\nmx: mx.{}.plain\nmax_age: {}\n"
# domain: its server, and the policy for it. In `plain`, which is not signed
UNSIGNED = {
    "sts": (GOOD, POLICY.format("enforce", "sts", 86400)),
    "false": (OWN, POLICY.format("enforce", "false", 86400)),
    "trial": (OWN, POLICY.format("testing", "trial", 86400)),
    "alien": (GOOD, POLICY.format("enforce", "other", 86400)),
    "downgrade": (PLAIN, POLICY.format("enforce", "downgrade", 86400)),
    "short": (OWN, [POLICY.format("enforce", "short", 1)]),  # and then there is none any more
    "open": (OWN, None),
    "old": (PLAIN, None),
}


class Scene:
    pass


def zones(scene, certificates):
    tlsa = {name: certificates.tlsa(name) for name in ("good", "own")}
    signed, seen = f"_tcp.mx5 NS ns\n_tcp.mx5 DS 1234 13 2 {'ab' * 32}\n", set()
    for domain, hosts in SIGNED.items():
        for at, (host, address, records) in enumerate(hosts):
            signed += f"{domain} MX {at} {host}\n"
            if host not in seen:
                signed += f"{host} A {address}\n" + "".join(f"_25._tcp.{host} TLSA {r.format(**tlsa)}\n" for r in records)
            seen.add(host)
        signed += f'_smtp._tls.{domain} TXT "v=TLSRPTv1; rua=mailto:tlsrpt@good.test"\n'
    unsigned = ""
    for domain, (address, policy) in UNSIGNED.items():
        unsigned += f"{domain} MX 10 mx.{domain}\nmx.{domain} A {address}\n"
        unsigned += f'_smtp._tls.{domain} TXT "v=TLSRPTv1;rua=https://web.test/reports"\n'
        if policy:
            unsigned += f'_mta-sts.{domain} TXT "v=STSv1; id=1;"\nmta-sts.{domain} A {WEB}\n'
    return signed, unsigned


def published(golub):
    """What golub dns prints, as lines of a zone; its addresses filled in."""
    text = golub.command("dns", "near.test").stdout
    text = re.sub(r"(mta-sts\.near\.test\.\s+A) .*", rf"\1 {WEB}", text)
    return re.sub(r"(mail\.near\.test\.\s+A) .*", rf"\1 {PREFIX}2", re.sub(r".* AAAA .*\n", "", text))


@pytest.fixture(scope="module")
def scene():
    s = Scene()
    s.network = network = Network("near", "far")
    try:
        certificates = tls_peers.Certificates(network.folder)
        good = certificates.make("good", ["mx1.test", "mx.sts.plain", "mx.alien.plain"])
        own = certificates.make("own", own=True)
        web = certificates.make("web", ["web.test"] + [f"mta-sts.{d}.plain" for d in UNSIGNED])
        for address in (GOOD, OWN, PLAIN, WEB):
            sh("ip", "-n", network.space("far"), "address", "add", address + "/24", "dev", "eth0")
        with network.inside("far"):
            s.good = tls_peers.MailServer(GOOD, good, ["REQUIRETLS"])
            s.own = tls_peers.MailServer(OWN, own)
            s.plain = tls_peers.MailServer(PLAIN)
            s.web = tls_peers.WebServer(WEB, web, {f"mta-sts.{d}.plain": p for d, (_, p) in UNSIGNED.items()})
        s.golub = golub = Golub(domain="near.test", hostname="mail.near.test", prefix=network.enter("near"),
                                config=f"[listen]\naddress = {network.address['near']} 127.0.0.1\nport_base = 0\n"
                                       f"[dns]\nserver = {PREFIX}1\ntrust_anchor = {network.folder}/anchor\n"
                                       f"[tls]\nauthorities = {certificates.ca}\n"
                                       "[login]\nplain_on_loopback = yes\n[queue]\nretry = 1s\nretry_most = 1s\n")
        golub.base = 0
        golub.account("ana")
        signed, unsigned = zones(s, certificates)
        anchor = network.serve_dns(signed + published(golub), signed=True, others={"plain": unsigned, "_tcp.mx5.test": "_25 TLSA " + WRONG + "\n"})
        (network.folder / "anchor").write_text(anchor)
        with golub:
            send(s, *(f"{d}.test" for d in SIGNED if d not in ("web", "waived")), *(f"{d}.plain" for d in UNSIGNED))
            send(s, "waived.test", extra="TLS-Required: No\r\n")
            yield s
    finally:
        network.remove()


def send(scene, *domains, subject="to {}", options=(), extra=""):
    with scene.network.inside("near"), smtplib.SMTP("127.0.0.1", 587, "client.test", timeout=60) as s:
        s.starttls(context=scene.golub.tls())
        s.login("ana@near.test", "secret password")
        for domain in domains:
            to = f"boris@{domain}"
            s.sendmail("ana@near.test", [to], message(subject.format(domain), "ana@near.test", to, extra=extra), options)


def log_lines(scene, event, domain):
    return [l for l in scene.golub.read_log().splitlines() if f" {event} " in l and f"to=boris@{domain} " in l]


def arrives(scene, server, domain, tls=""):
    """At this server; *tls* stands in the log."""
    got = wait_for(f"mail for {domain}", lambda: server.having(f"to {domain}"), 30)
    line = wait_for("its line in the log", lambda: log_lines(scene, "relay.sent", domain))[0]
    assert len(got) == 1 and re.search(rf'tls="?[^"]*{tls}"? ', line), line
    return got[0]


def waits(scene, server, domain, words):
    """It is not sent, and the log says why."""
    line = wait_for(f"{domain} is deferred", lambda: log_lines(scene, "relay.deferred", domain), 30)[0]
    assert words in line and not server.having(f"to {domain}"), line


def test_dane_with_the_right_record(scene):
    assert arrives(scene, scene.good, "good.test", " DANE")[1]
    arrives(scene, scene.good, "rolled.test", " DANE")


def test_dane_with_a_stale_or_wrong_record_takes_another_host_or_waits(scene):
    arrives(scene, scene.good, "stale.test", " DANE")
    assert "host=mx1.test" in log_lines(scene, "relay.sent", "stale.test")[0]
    waits(scene, scene.own, "wrong.test", "4.7.5 mx4.test[10.77.0.12]: no TLSA record fits")


def test_a_host_whose_tlsa_records_are_forged_is_not_used(scene):
    arrives(scene, scene.good, "hidden.test", " DANE")
    assert "host=mx1.test" in log_lines(scene, "relay.sent", "hidden.test")[0]
    assert "TLSA records of mx5.test" in scene.golub.read_log()


def test_an_own_certificate_will_do_where_dane_says_so(scene):
    arrives(scene, scene.own, "own.test", " DANE")


def test_a_downgrade_is_refused(scene):
    waits(scene, scene.plain, "stripped.test", "4.7.4 mx6.test[10.77.0.13] offers no TLS")
    waits(scene, scene.plain, "downgrade.plain", "4.7.4 mx.downgrade.plain[10.77.0.13] offers no TLS")


def test_mta_sts_enforce(scene):
    arrives(scene, scene.good, "sts.plain", " verified")
    waits(scene, scene.own, "false.plain", "4.7.5 mx.false.plain[10.77.0.12]: the server's certificate")
    waits(scene, scene.good, "alien.plain", "4.7.5 mx.alien.plain is not among the servers")


def test_mta_sts_testing_only_tells(scene):
    assert arrives(scene, scene.own, "trial.plain")[1], "over TLS, whose certificate proves nothing"


def test_a_policy_that_ran_out_and_is_gone_does_not_hold_mail_back(scene):
    assert arrives(scene, scene.own, "short.plain")[1]


def test_without_any_policy_tls_is_used_where_it_is_offered(scene):
    assert arrives(scene, scene.own, "open.plain")[1]
    assert not arrives(scene, scene.plain, "old.plain")[1]


def test_tls_required_no_goes_before_what_the_destination_published(scene):
    assert arrives(scene, scene.own, "waived.test")[1]


def test_requiretls_both_ways(scene):
    """RFC 8689 section 4.2: taken with it and passed on with it, or not sent at all."""
    send(scene, "good.test", "own.test", "open.plain", subject="required {}", options=["REQUIRETLS"])
    got = wait_for("mail with REQUIRETLS", lambda: scene.good.having("required good.test"), 30)
    assert got[0][0].endswith(" REQUIRETLS")
    for domain in ("own.test", "open.plain"):
        line = wait_for(f"{domain} fails", lambda: log_lines(scene, "relay.failed", domain), 30)[0]
        assert "5.7.30 REQUIRETLS" in line
    assert not scene.own.having("required own.test") and not scene.own.having("required open.plain")


def test_a_policy_outlives_a_restart_and_its_web_server(scene):
    golub = scene.golub
    asked = scene.web.asked.count("mta-sts.sts.plain")
    golub.stop()
    scene.web.policies.pop("mta-sts.sts.plain")
    golub.start()
    send(scene, "sts.plain", subject="again {}")
    wait_for("mail for sts.plain", lambda: scene.good.having("again sts.plain"), 30)
    assert " verified" in wait_for("its line in the log", lambda: log_lines(scene, "relay.sent", "sts.plain")[1:])[0]
    assert scene.web.asked.count("mta-sts.sts.plain") == asked


def reports(scene):
    """domain: (the mail, the report)"""
    found = {}
    for _, _, raw in scene.good.messages:
        mail = email.message_from_bytes(raw)
        if mail.get_content_type() == "multipart/report":
            found[mail["TLS-Report-Domain"]] = mail, json.loads(gzip.decompress(mail.get_payload(1).get_payload(decode=True)))
    return found


def results(report):
    return {d["result-type"]: d["failed-session-count"] for p in report["policies"] for d in p.get("failure-details", [])}


def test_reports_arrive_by_mail_and_https(scene):
    time.sleep(2.5)  # results reach the queue

    def are_listed():
        days = scene.golub.command("tls-report", "list").stdout
        return re.search(r"\d+ +0  counting +good\.test", days) and re.search(r" 0 +[1-9]\d*  counting +stripped\.test", days)
    wait_for("they are listed", are_listed, pause=0.5)
    scene.golub.command("tls-report", "send")
    wait_for("reports by mail", lambda: {"good.test", "stripped.test", "wrong.test", "stale.test"} <= set(reports(scene)), 30)
    found = reports(scene)
    mail, good = found["good.test"]
    assert mail["TLS-Report-Submitter"] == good["organization-name"] == "mail.near.test" and mail["TLS-Required"] == "No"
    assert mail.get_param("report-type") == "tlsrpt" and mail.get_payload(1).get_content_type() == "application/tlsrpt+gzip"
    assert re.match(r"Report Domain: good\.test\s+Submitter: mail\.near\.test\s+Report-ID: <", mail["Subject"])
    assert mail.get_payload(1).get_filename().startswith("mail.near.test!good.test!")
    policy = good["policies"][0]
    assert policy["policy"]["policy-type"] == "tlsa" and policy["policy"]["policy-string"][0].startswith("3 1 1 ")
    assert policy["summary"] == {"total-successful-session-count": policy["summary"]["total-successful-session-count"],
                                 "total-failure-session-count": 0} and policy["summary"]["total-successful-session-count"] >= 1
    assert set(results(found["stripped.test"][1])) == {"starttls-not-supported"}
    assert set(results(found["wrong.test"][1])) == {"tlsa-invalid"}
    assert results(found["stale.test"][1]) == {"tlsa-invalid": 1}
    assert "waived.test" not in found

    def posted():
        return {p["policies"][0]["policy"]["policy-domain"]: p for p in (json.loads(gzip.decompress(b)) for _, _, b in scene.web.posted)}
    wait_for("reports by HTTPS", lambda: {f"{d}.plain" for d in UNSIGNED} <= set(posted()), 30)
    assert {(path, kind) for path, kind, _ in scene.web.posted} == {("/reports", "application/tlsrpt+gzip")}
    assert set(results(posted()["trial.plain"])) == {"certificate-not-trusted"}
    assert posted()["trial.plain"]["policies"][0]["policy"]["mx-host"] == ["mx.trial.plain"]
    assert {"sts-policy-fetch-error", "certificate-not-trusted"} == set(results(posted()["short.plain"]))
    assert set(results(posted()["alien.plain"])) == {"validation-failure"}
    assert "sent" in scene.golub.command("tls-report", "list").stdout


def test_a_report_is_summarised(scene):
    raw = next(m for _, _, m in scene.good.messages if b"TLS-Report-Domain: stripped.test\r\n" in m)
    run = subprocess.run([scene.golub.program, "tls-report", "-"], input=raw, capture_output=True)
    text = run.stdout.decode()
    assert run.returncode == 0 and re.search(r"0 good, \d+ failed  stripped.test  tlsa", text) and "starttls-not-supported  mx6.test" in text, text


def test_a_report_that_comes_to_us_is_read(scene):
    """Our own about stripped.test, as that domain's postmaster gets it if golub is there too: delivered, and its numbers kept."""
    golub = scene.golub
    raw = next(m for _, _, m in scene.good.messages if b"TLS-Report-Domain: stripped.test\r\n" in m)
    about = json.loads(gzip.decompress(email.message_from_bytes(raw).get_payload(1).get_payload(decode=True)))["policies"][0]
    detail = about["failure-details"][0]
    assert (detail["sending-mta-ip"], detail["receiving-ip"]) == (scene.network.address["near"], PLAIN)
    golub.command("address", "add", "postmaster@near.test", "ana@near.test", check=False)
    with scene.network.inside("far"), smtplib.SMTP(scene.network.address["near"], 25, "client.test", timeout=60) as s:
        s.sendmail("", ["postmaster@near.test"], raw)
        s.sendmail("", ["postmaster@near.test"], b"TLS-Report-Domain: x\r\n\r\nhello\r\n")
    failed = about["summary"]["total-failure-session-count"]
    want = rf"\d{{4}}-\d\d-\d\d +0 +{failed}  stripped\.test  mail\.near\.test  starttls-not-supported {failed}\n"
    wait_for("the report in the list", lambda: re.search(want, golub.command("tls-report").stdout))
    line = next(l for l in golub.read_log().splitlines() if " message.tls_report " in l)
    assert " warning smtp" in line and "domain=stripped.test" in line and 'failures="starttls-not-supported ' in line, line
    number = re.search(r" id=(\w+) ", line).group(1)
    for words in ("a report of mail.near.test about TLS with stripped.test", "stored for ana@near.test in INBOX"):
        wait_for(words, lambda: words in golub.command("trace", number, check=False).stdout)
    wait_for("the other one", lambda: "message.tls_report_unread" in golub.read_log())


def test_what_golub_dns_prints_is_a_zone_that_holds(scene):
    """knot took it; --check finds it; and OpenSSL connects by its TLSA record."""
    run = scene.golub.command("dns", "near.test", "--check", check=False)
    assert run.returncode == 0 and not re.search("missing|other|unsigned|no answer", run.stdout), run.stdout
    lacking = scene.golub.command("dns", "nowhere.test", "--check", check=False)
    assert lacking.returncode == 1 and re.search(r"missing +MX +nowhere\.test", lacking.stdout), lacking.stdout
    record = re.search(r"^_25\._tcp\.mail\.near\.test\. +TLSA +(.*)$", scene.golub.command("dns", "near.test").stdout, re.M).group(1)
    s = subprocess.run(scene.network.enter("near") + ["openssl", "s_client", "-starttls", "smtp", "-connect", "127.0.0.1:25", "-dane_tlsa_domain",
                                                      "mail.near.test", "-dane_tlsa_rrdata", record], input="QUIT\n", capture_output=True, text=True)
    assert "Verification: OK" in s.stdout and "DANE TLSA 3 1 1" in s.stdout, s.stdout[-2000:]
