package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"onemap/internal/fault"
)

// passwordLength is the length of a password of the demo, in characters of base 32. That is 80 random bits, which is
// enough because the demo listens on the loopback address by default.
const passwordLength = 16

// secrets is the file secrets.json in the data folder: the passwords of the accounts and devices of the demo. The
// database has only their hashes.
type secrets struct {
	Seed     uint64            `json:"seed"`     // of the city in this folder
	Accounts map[string]string `json:"accounts"` // password by login
	Devices  map[string]string `json:"devices"`  // secret by device id
}

// loadSecrets reads the secrets of a data folder, or returns empty ones if there is no file. It returns fault.Invalid
// if the folder has the city of another seed, because its city would become a mixture of two.
func loadSecrets(dir string, seed uint64) (secrets, error) {
	s := secrets{Seed: seed, Accounts: map[string]string{}, Devices: map[string]string{}}
	b, err := os.ReadFile(filepath.Join(dir, secretsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the demo's secrets: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fault.Wrap(fault.Invalid, err, "%s is damaged; `make reset` wipes the demo", filepath.Join(dir, secretsFile))
	}
	if s.Seed != seed {
		return s, fault.InvalidField("--seed", "%s holds the city of seed %d; use --seed %d, another --data, or `make reset`", dir, s.Seed, s.Seed)
	}
	return s, nil
}

// Account is an account of the demo, with its password in plain text.
type Account struct {
	User     string `json:"user"`
	Password string `json:"password"`
	Role     string `json:"role"`
	Division string `json:"division"`
}

// Device is the device for which the user of the demo can publish. The simulator does not publish for it.
type Device struct {
	ID         string  `json:"id"`
	Password   string  `json:"password"`
	Division   string  `json:"division"`
	Datastream string  `json:"datastream"`
	Topic      string  `json:"topic"`       // of observations
	RedAbove   float64 `json:"red_above"`   // raise value of the worst level, in the unit of the datastream
	ClearBelow float64 `json:"clear_below"` // clear value of the mildest level
}

// Info is the file demo.json in the data folder. A script finds in it how to use the running demo.
type Info struct {
	HTTP     string    `json:"http"`     // URL of the server
	MQTT     string    `json:"mqtt"`     // host:port; empty without a listener
	Database string    `json:"database"` // URL of the database
	Accounts []Account `json:"accounts"`
	Device   Device    `json:"device"`
}

// Account returns the account with the login user.
func (d Info) Account(user string) (Account, bool) {
	for _, a := range d.Accounts {
		if a.User == user {
			return a, true
		}
	}
	return Account{}, false
}

// writeSecret writes v as JSON to dir/name with mode 0600. It writes a temporary file and renames it, so that a crash
// never leaves a half file.
func writeSecret(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	tmp, err := os.CreateTemp(dir, "."+name+"-*") // CreateTemp uses mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone already when the rename went well
	if _, err := tmp.Write(append(b, '\n')); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close(), os.Rename(tmp.Name(), filepath.Join(dir, name))); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
