package config

import (
	"strings"
)

var apiFields = []field[API]{
	{
		key: "listen", example: `["10.0.0.4:8443"]`, impact: Restart,
		doc: "Where the API is served over TCP, besides its socket, with mutual TLS: nvactl --address. " +
			"Needs certificate, key and client-ca. Default: nowhere.",
		bind: func(a *API) value { return endpoints{&a.Listen} },
	},
	{
		key: "certificate", example: `"/etc/nvad/tls/nvad.crt"`,
		doc:  "PEM file with the certificate of this NVA and its chain. A new one is taken without a reload.",
		bind: func(a *API) value { return text{&a.Certificate, checkPath} },
	},
	{
		key: "key", example: `"/etc/nvad/tls/nvad.key"`,
		doc:  "PEM file with its private key.",
		bind: func(a *API) value { return text{&a.Key, checkPath} },
	},
	{
		key: "client-ca", example: `"/etc/nvad/tls/clients.crt"`,
		doc:  "PEM file with the authorities that sign certificates of clients. Every client they signed may read.",
		bind: func(a *API) value { return text{&a.ClientCA, checkPath} },
	},
	{
		key: "admins", example: `["CN=alice", "OU=network"]`,
		doc:  "Clients that may also change: common names and organisational units of their certificates. Default: none.",
		bind: func(a *API) value { return subjects{&a.Admins} },
	},
}

// subjects is a list of "CN=..." and "OU=...".
type subjects struct{ p *[]string }

func (v subjects) set(c cell) {
	names(v).set(c)
	cells, ok := c.items("a list of names")
	if !ok {
		return
	}
	for _, item := range cells {
		s, _ := item.val.(string)
		if kind, name, _ := strings.Cut(s, "="); s != "" && (kind != "CN" && kind != "OU" || name == "") {
			item.fail(`want "CN=" or "OU=" and a name, got %s`, show(s))
		}
	}
}

func (subjects) kind() string { return "list of names" }

func (v subjects) toml() string { return list(*v.p, quote) }

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
