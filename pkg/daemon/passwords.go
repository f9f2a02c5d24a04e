package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/tunnel"
)

// withPasswords returns cfg with the passwords, BFD keys and WireGuard keys that it keeps in files.
// Credentials is the directory of files without an absolute path. The error names the
// configuration file at path.
func withPasswords(path string, cfg *config.Config, credentials string) (*config.Config, error) {
	out := *cfg
	out.Neighbors, out.Ranges, out.Tunnels = slices.Clone(cfg.Neighbors), slices.Clone(cfg.Ranges), slices.Clone(cfg.Tunnels)
	var errs []error
	for i := range out.Tunnels {
		t := &out.Tunnels[i]
		if err := readBFDKeys(&t.BFD, credentials); err != nil {
			errs = append(errs, fmt.Errorf("tunnel.%s.bfd.key-file: %w", t.Name, err))
		}
		errs = append(errs, readTunnelKeys(t, credentials))
	}
	for i := range out.Neighbors {
		n := &out.Neighbors[i]
		errs = append(errs, readKeys("neighbor."+n.Address.String(), &n.Settings, credentials))
	}
	for i := range out.Ranges {
		r := &out.Ranges[i]
		errs = append(errs, readKeys("peer-group."+r.PeerGroup, &r.Settings, credentials))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &out, nil
}

// readKeys fills in the password and the BFD keys of a neighbor, or of those in a range.
func readKeys(table string, s *config.Settings, credentials string) error {
	var errs []error
	if err := readBFDKeys(&s.BFD, credentials); err != nil {
		errs = append(errs, fmt.Errorf("%s.bfd.key-file: %w", table, err))
	}
	if s.PasswordFile != "" {
		var err error
		if s.Password, err = readPassword(s.PasswordFile, credentials); err != nil {
			errs = append(errs, fmt.Errorf("%s.password-file: %w", table, err))
		}
	}
	return errors.Join(errs...)
}

// readTunnelKeys fills in the keys of WireGuard that are in files.
func readTunnelKeys(t *config.Tunnel, credentials string) error {
	w := &t.WireGuard
	return errors.Join(
		readTunnelKey("tunnel."+t.Name+".private-key-file", w.PrivateKeyFile, credentials, tunnel.ParsePrivate, &w.PrivateKey),
		readTunnelKey("tunnel."+t.Name+".preshared-key-file", w.PresharedKeyFile, credentials, tunnel.ParseShared, &w.PresharedKey))
}

func readTunnelKey(key, file, credentials string, parse func(string) (tunnel.Secret, error), p *tunnel.Secret) error {
	if file == "" {
		return nil
	}
	file, text, err := readSecret(file, credentials)
	if err == nil {
		if *p, err = parse(strings.TrimSpace(text)); err != nil {
			err = fileError(file, err)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// longestPassword is longer than any key, so that a key that is too long is detected.
const longestPassword = 4096

func readPassword(file, credentials string) (string, error) {
	file, text, err := readSecret(file, credentials)
	if err != nil {
		return "", err
	}
	password := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if err := config.CheckPassword(password); err != nil {
		return "", fileError(file, err)
	}
	return password, nil
}

// readBFDKeys fills in the keys of b, if they are in a file.
func readBFDKeys(b *config.BFD, credentials string) error {
	if b.KeyFile == "" {
		return nil
	}
	file, text, err := readSecret(b.KeyFile, credentials)
	if err != nil {
		return err
	}
	if b.Keys, err = config.ParseBFDKeys(text); err != nil {
		return fileError(file, err)
	}
	return nil
}

// readSecret reads a file and returns its path.
func readSecret(file, credentials string) (path, text string, err error) {
	if !filepath.IsAbs(file) {
		if credentials == "" {
			return "", "", fmt.Errorf("%s is relative, and systemd has passed no credentials ($CREDENTIALS_DIRECTORY is not set)", file)
		}
		file = filepath.Join(credentials, file)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", "", fileError(file, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, longestPassword))
	if err != nil {
		return "", "", fileError(file, err)
	}
	return file, string(data), nil
}

// fileError adds the name of the file to err, once.
func fileError(file string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", file, err)
}
