package sensors

import (
	"context"
	"errors"
	"time"
)

// Message is one message of a device as a feed received it: a publish, a frame, an answer to a question.
//
// Needed are Device, Raw and Decoder. The zero value of the rest is right for a feed that does not know it.
type Message struct {
	Device   string    // id of the registered device that sent it; one that is not registered goes to quarantine
	Division string    // that the protocol's address says the device is in: a message for another one goes to quarantine; empty: it says none
	Subject  string    // where it came in, for the people who look at the quarantine: an MQTT topic, the peer's address
	Raw      []byte    // the bytes as they came. They belong to the receiver from Accept on: quarantine keeps what cannot be decoded
	Decoder  Decoder   // what Raw means; Decoded when that is known already
	Received time.Time // when it came; zero: now
	Values   int       // about how many values it holds; 0: Decoder.Count is asked

	// Session numbers the connection that it came by: another number for each connection of the process, 0 when connections
	// are not known, as those to an external broker. It helps to tell a clock that is wrong from what a device has kept.
	Session uint64
	// Redelivered says that the sender says that it may have sent the message before (MQTT's DUP flag).
	Redelivered bool

	// Login is the registry's entry by which the feed let the sender in, and ByCert whether that was by its certificate. The
	// message is not stored when the entry does not let the sender in any more: done gets fault.Unauthenticated. nil: the
	// feed does not authenticate, or something else does it, as an external broker.
	Login  *Known
	ByCert bool
}

// Receiver takes the messages of all feeds. Ingest implements it.
//
// A feed gives each message to Accept, and answers its sender when done is called:
//
//   - done(nil): everything that the message says is durable, as observations, as a status, or as a row of the quarantine.
//     Now, and not before, the feed acknowledges. What could not be decoded is acknowledged too: it would be no better
//     when it is sent again.
//   - done(err) with fault.Unauthenticated: the sender may not send any more. The feed does not acknowledge, and ends the
//     connection.
//   - done(err) with any other error, most often fault.Unavailable: nothing is stored. The feed does not acknowledge, so that
//     the sender sends the message again. A feed whose protocol cannot leave a message without an answer ends the
//     connection, and takes nothing after that message from it: a device's messages must be stored in their order.
//
// A message may be delivered as often as the sender likes: an observation is known by its datastream, time and value, and
// stored once. Only one that says no time, or a time that cannot be true, is new at each delivery, so a feed should give
// a message that it knows to be a redelivery the Received of the first.
type Receiver interface {
	// Accept takes a message and never blocks. When it returns nil, done is called exactly once, from another goroutine,
	// for the messages of one device in the order of Accept; done must not block and may be nil. When Accept returns an
	// error, done is never called and the message is not stored. The error is of kind fault.Unavailable when the path
	// stops, the database is away or the queue is full; IsFull tells the last from the others: wait for Await and try again.
	Accept(m Message, done func(error)) error
	// Quarantine takes a row for what cannot be a Message, because the feed cannot say which device it is of or has not
	// read it whole. Its promise is Accept's.
	Quarantine(q Quarantined, done func(error)) error
	// Await blocks while the queue is full, that is while Accept returns an error of which IsFull is true.
	// It returns nil when there is room again, ctx's error when that ends first, and
	// fault.Unavailable when nothing is taken at all: the database is away, or the path stops.
	Await(ctx context.Context) error
}

// errFull is the cause of a refusal that only means: later.
var errFull = errors.New("the queue is full")

// IsFull reports whether Accept refused because the queue is full: wait for Await and try again.
func IsFull(err error) bool { return errors.Is(err, errFull) }
