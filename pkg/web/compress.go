package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
)

// leastCompressed is the size in bytes from which compression is worth its time.
const leastCompressed = 2 << 10

// compressed returns body in gzip and says so in the header, if the client accepts it and it
// helps. A cookie is no part of an answer, so its length gives no secret away.
func compressed(w http.ResponseWriter, r *http.Request, body []byte) []byte {
	w.Header().Add("Vary", "Accept-Encoding")
	if r == nil || len(body) < leastCompressed || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return body
	}
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level is valid
	_, _ = z.Write(body)                              // a buffer accepts everything
	if z.Close() != nil || out.Len() >= len(body) {
		return body
	}
	w.Header().Set("Content-Encoding", "gzip")
	return out.Bytes()
}
