package sensors

import (
	"context"
	"errors"
	"time"
)

// Message is one message of a device as a feed received it: a publish, a frame, an answer to a question.
//
// Device, Raw and Decoder are required. The zero value of the others is right for a feed that does not know them.
type Message struct {
	Device   string    // id of the registered device that sent it; one that is not registered goes to quarantine
	Division string    // division of the device in the protocol's address; if it is not the registered one, the message goes to quarantine; empty: unknown
	Subject  string    // where the message was received, shown in the quarantine: an MQTT topic, the address of the peer
	Raw      []byte    // the bytes as they came, which quarantine keeps; the feed must not change them after Accept
	Decoder  Decoder   // decodes Raw; Decoded when the feed has done so already
	Received time.Time // when it came; zero: now
	Values   int       // estimated number of values in it; 0: Decoder.Count estimates it

	// Session is the number of the connection that the message came by, unique in the process. It is 0 if the connection is
	// not known, as with an external broker. It helps to distinguish a wrong clock from readings that a device has buffered.
	Session uint64
	// Redelivered is true if the sender marks the message as a possible duplicate (MQTT's DUP flag).
	Redelivered bool

	// Login is the entry that Registry.Authenticate returned for the sender, and ByCert whether it was authenticated by its
	// certificate. If the device has been disabled or its credentials have changed since, the message is not stored and done
	// is called with fault.Unauthenticated. nil: the feed does not authenticate its senders, or an external broker does.
	Login  *Known
	ByCert bool
}

// Receiver accepts the messages of all feeds. Ingest implements it.
type Receiver interface {
	// Accept takes a message and never blocks. When it returns nil, done is called exactly once, from another goroutine,
	// for the messages of one device in the order of Accept; done must not block and may be nil. When Accept returns an
	// error, done is never called and the message is not stored. The error is of kind fault.Unavailable when the receiver
	// stops, the database is unavailable or the queue is full; when IsFull reports true, wait for Await and try again. It is of kind
	// fault.Internal when the message has no Decoder.
	Accept(m Message, done func(error)) error
	// Quarantine stores a row for data that cannot become a Message, because the feed does not know its device or has not
	// read it completely. It calls done in the same way as Accept.
	Quarantine(q Quarantined, done func(error)) error
	// Await blocks while the queue is full, that is, while Accept returns an error for which IsFull returns true.
	// It returns nil when there is room again, and ctx's error if ctx ends first. It returns fault.Unavailable if the
	// receiver accepts nothing at all, because the database is unavailable or the receiver is stopping.
	Await(ctx context.Context) error
}

// errFull is the cause of a refusal after which the caller should try again later.
var errFull = errors.New("the queue is full")

// IsFull reports whether Accept refused because the queue is full: wait for Await and try again.
func IsFull(err error) bool { return errors.Is(err, errFull) }
