// Package token makes and reads the access tokens of the emulated Azure. They look like
// Microsoft Entra's: three parts joined by dots, with claims that say who asks whom until
// when. The metadata service and the login service issue them, Resource Manager reads them.
// They are signed with a key that is no secret and that only these emulators know.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Claims are the content of a token.
type Claims struct {
	Audience  string `json:"aud"`
	Issuer    string `json:"iss"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp"`
	// Object is the object ID of the identity, to which roles are assigned, and Client its
	// client ID.
	Object string `json:"oid"`
	Client string `json:"appid"`
	Tenant string `json:"tid"`
	// Resource is the resource ID of a managed identity.
	Resource string `json:"xms_mirid,omitempty"`
}

// Errors of Parse.
var (
	ErrForeign   = errors.New("the token is not one of this cloud's")
	ErrMalformed = errors.New("the token is malformed")
)

var key = []byte("the lab's tokens")

var encoding = base64.RawURLEncoding

// Sign returns the token with these claims.
func Sign(c Claims) string {
	claims, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	text := encoding.EncodeToString([]byte(`{"typ":"JWT","alg":"HS256","kid":"lab"}`)) + "." + encoding.EncodeToString(claims)
	return text + "." + encoding.EncodeToString(sign(text))
}

// Parse returns the claims of a token of this cloud, which may have expired.
func Parse(text string) (Claims, error) {
	var c Claims
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return c, ErrMalformed
	}
	signature, err := encoding.DecodeString(parts[2])
	if err != nil {
		return c, ErrMalformed
	}
	if !hmac.Equal(signature, sign(parts[0]+"."+parts[1])) {
		return c, ErrForeign
	}
	claims, err := encoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(claims, &c) != nil {
		return c, ErrMalformed
	}
	return c, nil
}

// Valid reports whether the token may be used at a time.
func (c Claims) Valid(at time.Time) bool {
	return at.Unix() >= c.NotBefore && at.Unix() < c.Expires
}

func sign(text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
