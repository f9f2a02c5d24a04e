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
)

// withPasswords is cfg with the passwords that its neighbors keep in files;
// credentials is where files without an absolute path are. The error names the file at path.
func withPasswords(path string, cfg *config.Config, credentials string) (*config.Config, error) {
	out := *cfg
	out.Neighbors = slices.Clone(cfg.Neighbors)
	var errs []error
	for i := range out.Neighbors {
		n := &out.Neighbors[i]
		if n.PasswordFile == "" {
			continue
		}
		var err error
		if n.Password, err = readPassword(n.PasswordFile, credentials); err != nil {
			errs = append(errs, fmt.Errorf("neighbor.%s.password-file: %w", n.Address, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &out, nil
}

// longestPassword is more than any key has, so that what is longer is told.
const longestPassword = 4096

func readPassword(file, credentials string) (string, error) {
	if !filepath.IsAbs(file) {
		if credentials == "" {
			return "", fmt.Errorf("%s is relative, and systemd has passed no credentials ($CREDENTIALS_DIRECTORY is not set)", file)
		}
		file = filepath.Join(credentials, file)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fileError(file, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, longestPassword))
	if err != nil {
		return "", fileError(file, err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if err := config.CheckPassword(password); err != nil {
		return "", fileError(file, err)
	}
	return password, nil
}

// fileError is err with the file's name, once.
func fileError(file string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", file, err)
}
