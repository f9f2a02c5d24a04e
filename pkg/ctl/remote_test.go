package ctl

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/api/apitest/pki"
	"github.com/nvad/nvad/pkg/config"
)

var localhost = net.IPv4(127, 0, 0, 1)

// tlsDaemon is a daemon behind mutual TLS.
type tlsDaemon struct {
	*testing.T
	address      string
	ours, theirs *pki.Authority // of the daemon, of its clients
	certs        *api.Certificates
}

func newTLSDaemon(t *testing.T, admins ...string) *tlsDaemon {
	t.Helper()
	dir := t.TempDir()
	d := &tlsDaemon{T: t, ours: pki.New(t, dir, "ours"), theirs: pki.New(t, dir, "theirs")}
	cert, key := d.ours.Issue(pki.Leaf{Name: "nvad", Address: localhost})
	var err error
	d.certs, err = api.NewCertificates(config.API{Certificate: cert, Key: key, ClientCA: d.theirs.Path, Admins: admins})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = l.Addr().String()
	picture := hub00()
	s := api.NewTLSServer(api.Params{Reader: picture, Controller: picture}, d.certs)
	apitest.Run(t, l, s)
	return d
}

// nvactl passes the address by the environment, as the other tests use flags.
func (d *tlsDaemon) nvactl(cert, key, ca string, args ...string) result {
	d.Helper()
	env := map[string]string{"NVAD_ADDRESS": d.address, "NVAD_CERT": cert, "NVAD_KEY": key, "NVAD_CA": ca}
	var out, errs bytes.Buffer
	code := Run(context.Background(), Env{
		Out: &out, Err: &errs, Width: defaultWidth, Now: func() time.Time { return apitest.Now },
		Getenv: func(name string) string { return env[name] },
	}, args)
	return result{out.String(), errs.String(), code}
}

// fails runs nvactl neighbors, which must not get an answer.
func (d *tlsDaemon) fails(what, cert, key, ca, want string) {
	d.Helper()
	r := d.nvactl(cert, key, ca, "neighbors")
	d.Logf("%s: %s", what, r.err)
	if r.code != 1 || r.out != "" || !strings.Contains(r.err, want) || strings.Count(r.err, "\n") != 1 {
		d.Errorf("%s: %+v, want %s", what, r, want)
	}
}

func TestRemote(t *testing.T) {
	d := newTLSDaemon(t, "CN=alice", "OU=network")
	for name, units := range map[string][]string{"alice": nil, "bob": {"office", "network"}} {
		cert, key := d.theirs.Issue(pki.Leaf{Name: name, Units: units})
		if r := nvactl(t, "", "--address", d.address, "--cert", cert, "--key", key, "--ca", d.ours.Path, "log-level", "debug"); r.code != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	cert, key := d.theirs.Issue(pki.Leaf{Name: "carol", Units: []string{"office"}})
	if r := d.nvactl(cert, key, d.ours.Path, "neighbors"); r.code != 0 || !strings.Contains(r.out, "10.0.210.4") {
		t.Errorf("reading: %+v", r)
	}
	for _, args := range []string{"reload", "config restore", "shutdown 10.0.210.4"} {
		r := d.nvactl(cert, key, d.ours.Path, strings.Fields(args)...)
		if args == "config restore" {
			wantError(t, r, "the file is on the other machine: run nvactl config restore there")
			continue
		}
		wantError(t, r, "changing nvad over TCP is for certificates with CN=alice or OU=network (yours has CN=carol, OU=office)")
	}
	if err := d.certs.Set(config.API{}); err == nil {
		t.Error("no files were taken")
	}
	wantError(t, newTLSDaemon(t).asNobody(), "changing nvad over TCP is for no certificate: admins of [api] is empty (yours has CN=nobody)")
}

// asNobody tries to change something.
func (d *tlsDaemon) asNobody() result {
	cert, key := d.theirs.Issue(pki.Leaf{Name: "nobody"})
	return d.nvactl(cert, key, d.ours.Path, "reload")
}

// TestStrangers: each side refuses a certificate of another CA, and an expired one.
func TestStrangers(t *testing.T) {
	d := newTLSDaemon(t, "CN=alice")
	cert, key := d.theirs.Issue(pki.Leaf{Name: "alice"})
	d.fails("daemon of another authority", cert, key, d.theirs.Path, "its certificate is not trusted: x509: certificate signed by unknown authority")
	stranger, strangerKey := pki.New(t, t.TempDir(), "other").Issue(pki.Leaf{Name: "alice"})
	d.fails("client of another authority", stranger, strangerKey, d.ours.Path, "it refused our certificate: tls: unknown certificate authority")
	old, oldKey := d.theirs.Issue(pki.Leaf{Name: "old", Expired: true})
	d.fails("expired client", old, oldKey, d.ours.Path, "it refused our certificate: tls: expired certificate")
	server, serverKey := d.theirs.Issue(pki.Leaf{Name: "server", Address: localhost})
	d.fails("certificate of a server", server, serverKey, d.ours.Path, "it refused our certificate: tls: ")
	d.fails("key of another certificate", cert, oldKey, d.ours.Path, "private key does not match public key")

	conn, err := tls.Dial("tcp", d.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %v", err)
	}
	if conn, err := net.Dial("tcp", d.address); err == nil {
		_, _ = conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
		answer := make([]byte, 64)
		n, _ := conn.Read(answer)
		_ = conn.Close()
		if n > 0 && answer[0] != 21 { // an alert
			t.Errorf("without TLS: %q", answer[:n])
		}
	}
}

// TestRenewal: a replaced certificate is used for the next connection, and a half-written
// one does no harm.
func TestRenewal(t *testing.T) {
	d := newTLSDaemon(t, "CN=alice")
	cert, key := d.theirs.Issue(pki.Leaf{Name: "alice"})
	d.ours.Issue(pki.Leaf{Name: "nvad", Address: localhost, Expired: true})
	d.fails("expired daemon", cert, key, d.ours.Path, "certificate has expired")
	d.ours.Issue(pki.Leaf{Name: "nvad", Address: net.IPv4(10, 0, 0, 4)})
	d.fails("daemon of another address", cert, key, d.ours.Path, "certificate is valid for 10.0.0.4, not 127.0.0.1")
	renewed, _ := d.ours.Issue(pki.Leaf{Name: "nvad", Address: localhost})
	if r := d.nvactl(cert, key, d.ours.Path, "neighbors"); r.code != 0 {
		t.Errorf("renewed: %+v", r)
	}
	breakFile(t, renewed)
	if r := d.nvactl(cert, key, d.ours.Path, "neighbors"); r.code != 0 {
		t.Errorf("half replaced: %+v", r)
	}
}

func TestRemoteFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--address 10.0.0.4 status":                               `--address: want HOST:PORT, got "10.0.0.4" (see nvactl status --help)`,
		"--address 10.0.0.4:1 status":                             "--address needs --cert, --key and --ca (see nvactl status --help)",
		"--socket /x --address 10.0.0.4:1 status":                 "use either --socket or --address (see nvactl status --help)",
		"--address 127.0.0.1:1 --cert /x --key /y --ca /z status": "certificate /x with key /y: open /x: no such file or directory",
	} {
		t.Run(args, func(t *testing.T) { wantError(t, nvactl(t, "", strings.Fields(args)...), want) })
	}
}

func breakFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("not PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
}
