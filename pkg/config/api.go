package config

import (
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// API is how the gRPC API is served over TCP, besides its unix socket.
type API struct {
	Listen      []netip.AddrPort // none: not at all
	Certificate string           // path of the daemon's, with its chain (PEM)
	Key         string           // path of its key (PEM)
	ClientCA    string           // path of the authorities that sign clients (PEM)
	Admins      []string         // who may change: "CN=..." or "OU=..." of a certificate
}

var apiTable = tomlfile.Single[Config, API]{
	Name: "api", Doc: "The gRPC API over TCP. On the socket of [daemon] it is always served.",
	Of: func(c *Config) *API { return &c.API }, Fields: apiFields,
}

var apiFields = []tomlfile.Field[API]{
	{
		Key: "listen", Example: `["10.0.0.4:8443"]`, Impact: Restart,
		Doc: "Where the API is served over TCP, besides its socket, with mutual TLS: nvactl --address. " +
			"Needs certificate, key and client-ca. Default: nowhere.",
		Bind: func(a *API) tomlfile.Value { return tomlfile.Listen(&a.Listen) },
	},
	{
		Key: "certificate", Example: `"/etc/nvad/tls/nvad.crt"`,
		Doc:  "PEM file with the certificate of this NVA and its chain. A new one is taken without a reload.",
		Bind: func(a *API) tomlfile.Value { return tomlfile.Text(&a.Certificate, checkPath) },
	},
	{
		Key: "key", Example: `"/etc/nvad/tls/nvad.key"`,
		Doc:  "PEM file with its private key.",
		Bind: func(a *API) tomlfile.Value { return tomlfile.Text(&a.Key, checkPath) },
	},
	{
		Key: "client-ca", Example: `"/etc/nvad/tls/clients.crt"`,
		Doc:  "PEM file with the authorities that sign certificates of clients. Every client they signed may read.",
		Bind: func(a *API) tomlfile.Value { return tomlfile.Text(&a.ClientCA, checkPath) },
	},
	{
		Key: "admins", Example: `["CN=alice", "OU=network"]`,
		Doc:  "Clients that may also change: common names and organisational units of their certificates. Default: none.",
		Bind: func(a *API) tomlfile.Value { return tomlfile.Names(&a.Admins, subject) },
	},
}

// subject reads "CN=..." or "OU=...".
func subject(c tomlfile.Cell) (string, bool) {
	s, ok := tomlfile.Name(c)
	if kind, name, _ := strings.Cut(s, "="); ok && (kind != "CN" && kind != "OU" || name == "") {
		c.Fail(`want "CN=" or "OU=" and a name, got %s`, tomlfile.Show(s))
		return "", false
	}
	return s, ok
}

// api reports a TCP listener that would let in who proves nothing.
func (v *checker) api() {
	a := v.cfg.API
	if len(a.Listen) == 0 {
		return
	}
	for _, need := range []struct{ key, path string }{
		{"certificate", a.Certificate}, {"key", a.Key}, {"client-ca", a.ClientCA},
	} {
		if need.path == "" && !v.has("api."+need.key) {
			v.fail("api.listen", "TCP is served with mutual TLS only: %s is missing", need.key)
		}
	}
}
