package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"os/user"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

func byCertificate(name string, units ...string) context.Context {
	cert := &x509.Certificate{Subject: pkix.Name{CommonName: name, OrganizationalUnit: units}}
	info := credentials.TLSInfo{State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}}
	return peer.NewContext(context.Background(), &peer.Peer{AuthInfo: info})
}

func byUser(uid uint32) context.Context {
	return peer.NewContext(context.Background(), &peer.Peer{AuthInfo: caller{uid: uid}})
}

// TestDescribeCaller: an operation says who asked, by name if there is one.
func TestDescribeCaller(t *testing.T) {
	const unknown = 4_000_000_001 // no system has this user
	if _, err := user.LookupId("4000000001"); err == nil {
		t.Fatal("user 4000000001 exists")
	}
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want string
	}{
		{"root", byUser(0), "user root (uid 0)"},
		{"no such user", byUser(unknown), "uid 4000000001"},
		{"certificate", byCertificate("ops", "net", "hub"), "certificate CN=ops, OU=net, OU=hub"},
		{"nobody", context.Background(), ""},
		{"terminal", byCertificate("\x1b[31mops\n"), "certificate CN=\uFFFD[31mops\uFFFD"},
	} {
		if got := DescribeCaller(tt.ctx); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestLongCaller: the owner of a certificate can't fill the history with its subject.
func TestLongCaller(t *testing.T) {
	got := CallerName(byCertificate(strings.Repeat("ä", 10_000)))
	if len(got) > mostCaller || !utf8.ValidString(got) || !strings.HasSuffix(got, "ä…") {
		t.Errorf("%d octets: %q", len(got), got)
	}
}
