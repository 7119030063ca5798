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

// passwordLength is how many characters of a random secret make a demo's password: 80 bits, for a page
// that listens on loopback.
const passwordLength = 16

// secrets are the demo's passwords, kept in its data folder and nowhere else. The database has only
// their hashes.
type secrets struct {
	Seed     uint64            `json:"seed"`
	Accounts map[string]string `json:"accounts"`
	Devices  map[string]string `json:"devices"`
}

// loadSecrets reads the data folder's secrets, or begins new ones for the seed. A folder made with
// another seed is refused: its city would be a mixture.
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

// Account is one login of the demo.
type Account struct {
	User     string `json:"user"`
	Password string `json:"password"`
	Role     string `json:"role"`
	Division string `json:"division"`
}

// Device is the device that the demo leaves to its visitor: the simulator does not publish for it.
type Device struct {
	ID         string  `json:"id"`
	Password   string  `json:"password"`
	Division   string  `json:"division"`
	Datastream string  `json:"datastream"`
	Topic      string  `json:"topic"`
	RedAbove   float64 `json:"red_above"`
	ClearBelow float64 `json:"clear_below"`
}

// Info is what a script needs to use a running demo.
type Info struct {
	HTTP     string    `json:"http"`
	MQTT     string    `json:"mqtt"`
	Database string    `json:"database"`
	Accounts []Account `json:"accounts"`
	Device   Device    `json:"device"`
}

// Account returns the demo's login of that name.
func (d Info) Account(user string) (Account, bool) {
	for _, a := range d.Accounts {
		if a.User == user {
			return a, true
		}
	}
	return Account{}, false
}

// writeSecret writes v as JSON into dir/name, mode 0600, at once or not at all.
func writeSecret(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	tmp, err := os.CreateTemp(dir, "."+name+"-*") // 0600
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
