package bootstrap

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// KeyFile is the name of the file with the TCP-MD5 key of the sessions between the
// NVAs. It stands beside the configuration, which names it and does not hold the key.
const KeyFile = "nva.key"

// maxKey is how many octets Linux takes as a TCP-MD5 key (TCP_MD5SIG_MAXKEYLEN).
const maxKey = 80

// readSecret returns the key that a file holds, without the line break at its end;
// nil if path is "". Errors do not quote it.
func readSecret(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--secret-file: %w", err)
	}
	defer f.Close()
	key, err := io.ReadAll(io.LimitReader(f, 2*maxKey))
	if err != nil {
		return nil, fmt.Errorf("--secret-file: %w", err)
	}
	key = bytes.TrimRight(key, "\r\n")
	switch {
	case len(key) == 0:
		return nil, fmt.Errorf("--secret-file: %s is empty", path)
	case len(key) > maxKey:
		return nil, fmt.Errorf("--secret-file: %s holds more than the %d octets that a TCP-MD5 key may have", path, maxKey)
	case bytes.ContainsFunc(key, func(r rune) bool { return r < ' ' }):
		return nil, fmt.Errorf("--secret-file: %s has more than one line, or control characters", path)
	}
	return key, nil
}

// keyPath is where the key goes for the configuration at output; "" without a key.
func keyPath(key []byte, output string) (string, error) {
	if key == nil {
		return "", nil
	}
	dir, err := filepath.Abs(filepath.Dir(output))
	return filepath.Join(dir, KeyFile), err
}

// writeKey puts the key into the file at path, readable as the configuration is.
func writeKey(path string, key []byte) error {
	if path == "" {
		return nil
	}
	return replace(path, append(bytes.Clone(key), '\n'))
}
