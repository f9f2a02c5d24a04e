package gobgp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// capRole is the code of the BGP Role capability (RFC 9234 4.1), which GoBGP does
// not know, and roleMismatch the subcode of what does not fit (4.2).
const (
	capRole      = 9
	roleMismatch = 11
)

// roles are the values of the capability by what the speaker calls itself.
var roles = []string{"provider", "rs-server", "rs-client", "customer", "peer"}

// counterparts are what this router is to a neighbor of a role.
var counterparts = map[string]string{
	"provider": "customer", "customer": "provider", "rs-server": "rs-client", "rs-client": "rs-server", "peer": "peer",
}

// appendRole announces what this router is to a neighbor of the given role.
func appendRole(b []byte, neighbor string) []byte {
	if neighbor == "" {
		return b
	}
	return append(b, capRole, 1, byte(slices.Index(roles, counterparts[neighbor])))
}

// checkRole refuses a neighbor that says it is something else than configured. One
// that says nothing is taken (RFC 9234 4.2).
func (o *open) checkRole(want string) error {
	if want == "" || len(o.roles) == 0 || len(o.roles) == 1 && roleName(o.roles[0]) == want {
		return nil
	}
	names := make([]string, len(o.roles))
	for i, r := range o.roles {
		names[i] = roleName(r)
	}
	return &fault{bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, roleMismatch, nil, fmt.Sprintf("the neighbor says it is %s, configured is %s", strings.Join(names, " and "), want)}
}

func roleName(r byte) string {
	if int(r) < len(roles) {
		return roles[r]
	}
	return fmt.Sprintf("role %d", r)
}
