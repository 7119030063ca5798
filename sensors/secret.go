package sensors

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"
)

// secretBytes is 160 bits: beyond guessing, so one SHA-256 is enough to store it by. A slow hash
// would let 15,000 reconnecting devices hold up both cores for minutes.
const secretBytes = 20

// NewSecret draws a device secret of 160 random bits: 32 characters of lower-case base 32, to be
// shown once, and the SHA-256 that is stored.
func NewSecret() (secret string, sum []byte) {
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	secret = strings.ToLower(base32.StdEncoding.EncodeToString(raw))
	return secret, HashSecret(secret)
}

// HashSecret is the SHA-256 of a device secret, 32 bytes.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// secretMatches compares in constant time. A device without a stored hash matches nothing.
func secretMatches(secret string, sum []byte) bool {
	return subtle.ConstantTimeCompare(HashSecret(secret), sum) == 1
}
