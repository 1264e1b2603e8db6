#!/usr/bin/env python3
"""https `/plaintext` of squall and of nginx: one worker each, the same certificate, version and cipher.

  tls.py [--rounds N] [--seconds S] [--connections N] [--ciphers VERSION:NAME ...]

The certificate is a self-signed one for a P-256 key, made for this run. Version and cipher are laid down at the
client's side, for wrk and for `openssl s_client`, which says beforehand what each server has negotiated; a difference
fails. Plain http is measured in the same rounds, so that the price of TLS can be told from that of the rest.

The server is alone on the first core, wrk is on the last one; near 100 % of `wrk` only the CPU time counts. The
handshakes of a round, one a connection, are in it. `other` is what the rest of the machine used.

Needs nginx with TLS, wrk, openssl and taskset.
"""

import re
import sys

sys.dont_write_bytecode = True  # nothing is written into the source tree
from bench import Bench, arguments, interleave, median, need, ratio, run, spread, table, target, wrk

CIPHERS = ("TLSv1.3:TLS_AES_256_GCM_SHA384", "TLSv1.3:TLS_AES_128_GCM_SHA256", "TLSv1.2:ECDHE-ECDSA-AES256-GCM-SHA384")
COLUMNS = ("rps", "p50", "p99", "cpu", "server", "wrk", "other")
HEAD = ("req/s", "p50 us", "p99 us", "CPU us", "server %", "wrk %", "other %")
PLAIN = 'location /plaintext { return 200 "Hello, World!"; }'


def main():
    args = arguments(__doc__, rounds=3, seconds=2, connections=64, ciphers=CIPHERS)
    need("nginx", "wrk", "openssl")
    with Bench() as bench:
        cert, key = certificate(bench)
        tls = {
            "squall": bench.squall("squall", "--tls-cert", cert, "--tls-key", key),
            "nginx": bench.nginx("nginx", f"listen {{port}} ssl backlog=4096; ssl_certificate {cert}; "
                                          f"ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3; {PLAIN}"),
        }
        plain = {"squall": bench.squall("squall-http"),
                 "nginx": bench.nginx("nginx-http", f"listen {{port}} backlog=4096; {PLAIN}")}
        runs, labels = {}, ["http"]
        for server, child in plain.items():
            runs["http", server] = lambda child=child: load(args, child, "http", None)
        for cipher in args.ciphers:
            env = {"OPENSSL_CONF": client_conf(bench, *cipher.split(":"))}
            agreed = {server: negotiated(child, env) for server, child in tls.items()}
            print(f"{cipher}: " + "; ".join(f"{server} negotiates {what}" for server, what in agreed.items()))
            if len(set(agreed.values())) > 1 or cipher.replace(":", " ") not in agreed.values():
                raise RuntimeError(f"not the same, or not {cipher}")
            labels.append(cipher)
            for server, child in tls.items():
                runs[cipher, server] = lambda child=child, env=env: load(args, child, "https", env)
        for one in runs.values():
            one()
        got = interleave(args.rounds, runs)
    report(args, labels, got)


def load(args, child, scheme, env):
    return wrk(child, f"{scheme}://127.0.0.1:{child.port}/plaintext", args.connections, args.seconds, env=env)


def report(args, labels, got):
    rows = []
    for label in labels:
        ours, theirs = got[label, "squall"], got[label, "nginx"]
        rows += [[f"{label} {server}", *(median(results, key) for key in COLUMNS)]
                 for server, results in (("squall", ours), ("nginx", theirs))]
        rows.append([f"{label} ratio", *(f"{ratio(ours, theirs, key):.2f}" for key in COLUMNS[:4]), *[None] * 3])
    print(f"\n/plaintext, {args.connections} kept connections, medians of {args.rounds} rounds of {args.seconds} s\n")
    table(["", *HEAD], rows)
    for label in labels[1:]:
        ours, theirs = got[label, "squall"], got[label, "nginx"]
        target(f"CPU a request, squall to nginx, {label}", ratio(ours, theirs, "cpu"), most=1.0)
        print(f"       (rounds of one server lie {spread(ours, 'cpu'):.0f} % and {spread(theirs, 'cpu'):.0f} % apart)")


def certificate(bench):
    cert, key = bench.path("cert.pem"), bench.path("key.pem")
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", cert], 20)
    return cert, key


def client_conf(bench, version, cipher):
    """What every program that uses OpenSSL as a client then offers: one version, one cipher."""
    kind = "Ciphersuites" if version == "TLSv1.3" else "CipherString"
    return bench.write(f"{version}-{cipher}.cnf", f"""openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = client
[client]
MinProtocol = {version}
MaxProtocol = {version}
{kind} = {cipher}
""")


def negotiated(child, env):
    """`VERSION CIPHER`, as openssl says."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{child.port}", "-servername", "localhost"]
    text, _, _ = run(command, 10, env=env)
    return " ".join(re.search(r"^New, (\S+), Cipher is (\S+)", text, re.M).groups())


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as why:
        sys.exit(f"tls.py: {why}")
