package errs

// The codes of what is wrong with what devices and people send.
const (
	_ Code = iota

	Other
	MoreFaults
	JSONExpected
	JSONMore
	JSONNumber
	JSONValue
	JSONBoolean
	JSONTrailing
	JSONNotUTF8
	JSONControl
	JSONUnended
	JSONEscape
	JSONSurrogate
	JSONDeep

	EmptyArray
	NotReading
	GivenTwice
	UnknownMember
	Missing
	Empty
	NotNumbers
	NotNumber
	NoNumber
	NumberTooLarge
	NotTimeString
	NoTime
	TimeAhead
	TimeUnset
	TimeLongAgo
	TimeNotStored
	NoSuchDatastream
	DatastreamGone
	NotStatus
	NotBoolean
	DeviceUnknown
	DeviceGone
	DeviceElsewhere
	NeitherKind
	PayloadTooLarge
	PacketUnread
	StoreRefused
	PayloadLost
	MoreInMinute
	MonthNotOpened

	TopicRoot
	TopicParts
	TopicDivision
	TopicDevice
	TopicKind
	TopicRead

	ConnectedOften
	LoginWrong
	LoginMissing
	CertificateDates
	WillForeign
	WillOfOther
	WillUnread
	StatusUnread
	KeepAliveLong
	KeepAliveNone
	PacketTooLarge
	HelloPushedOut
	HelloLate
	AcksUnread
	AcksPutOut
	AccessEnded
	SendsTooFast
	OverQuota
	PublishForeign
	SubscribeForeign

	Required
	NotEmpty
	TooLong
	OutOfRange
	NeitherOf
	BelowZero
	NoOrigin
	NotFinite
	NameZHMissing
	ForSeconds
	HoldSeconds
	LevelCount
	LevelUnknown
	LevelTwice
	LevelOrder
	ClearUnsafe
	RaiseOrder
	ClearOrder
	NoDatastreamType
	NoDatastream
	DatastreamObserves
	LoginShape
	LoginTaken
	NameLine
	NoRole
	ResponderDivision
	CommanderDivision
	NoDivision
	DivisionOutside
	OwnAccess
	PasswordShort
	PasswordLong
	PasswordLogin
	PasswordSame
	PasswordWrong
	PasswordMeanwhile
	DisplayPassword
	LoginSlowed
	LoginBusy
	CellSize
	ZoomRange
	NoNumberField
	NoField
	NamedTwice
	FingerprintShape
	CertificateTaken
	CertificateUnread
	CertificateMissing
	CertificateExpired
	CertificateKey
	OriginForeign
	NotWebSocket
	PushNotReady
	PushFull
	PushAccountFull
	DisplayTaken
	LinkUsed

	RoleMayNot
	CityWideOnly
	NoAlert
	AlertElsewhere
	ActionUnknown
	StepImpossible
	StillFiring
	AlertRisen
	ShownMissing
	ShownCount
	NoteMissing
	NoteNotText
	AssigneeMissing
	AssigneeUnwanted
	NoAssignee
	BulkCount
	NoSilence
	SilenceKind
	SilenceOfNothing
	SilenceCityOnly
	SilenceEnds
	SilenceOver
	SilenceLong
	SilenceStart
	NoDevice
	TimeRange
	QueryText
	ExportFormat
	Malformed
	UnknownField
	TooMuch
	AwayNow
	InternalError

	PartStarting
	PartStopping
	PartSilent
	PartsUnknown
	ReadingsUnstored
	CommitSlow
	ListenerClosed
	ExternalAway
	ExternalSlow
	ExternalCause
	CertificateOver
	CertificateStays
	RulesHere
	RulesElsewhere
	RulesReplay
	RulesFailing
	RulesLate
	LayerLoading
	LayersUnread
	EventsUnread
	BatchesUnread
)

// words gives each code its name and its English sentence. A value that a sender wrote is shown as it is.
//
//nolint:gochecknoglobals // a constant table
var words = [...]struct{ name, english string }{
	Other:         {"other", "{error}"},
	MoreFaults:    {"more-faults", "and {n} more"},
	JSONExpected:  {"json-expected", "offset {offset}: {want} expected, {found} found"},
	JSONMore:      {"json-more", "offset {offset}: ',' or {want} expected, {found} found"},
	JSONNumber:    {"json-number", "offset {offset}: a number expected, {found} found"},
	JSONValue:     {"json-value", "offset {offset}: a value expected, {found} found"},
	JSONBoolean:   {"json-boolean", "offset {offset}: true or false expected, {found} found"},
	JSONTrailing:  {"json-trailing", "offset {offset}: trailing bytes: {found} found after the end"},
	JSONNotUTF8:   {"json-not-utf8", "offset {offset}: a string that is not UTF-8"},
	JSONControl:   {"json-control", "offset {offset}: a control character in a string"},
	JSONUnended:   {"json-unended", "offset {offset}: a string without its end"},
	JSONEscape:    {"json-escape", "offset {offset}: an escape that JSON does not know"},
	JSONSurrogate: {"json-surrogate", "offset {offset}: half of a surrogate pair"},
	JSONDeep:      {"json-deep", "offset {offset}: nested deeper than {limit}"},

	EmptyArray:       {"empty-array", "an empty array"},
	NotReading:       {"not-reading", `{found}, not an object with "v"`},
	GivenTwice:       {"given-twice", "given twice"},
	UnknownMember:    {"unknown-member", `unknown; only "{one}" and "{other}" are read`},
	Missing:          {"missing", "missing"},
	Empty:            {"empty", "empty"},
	NotNumbers:       {"not-numbers", "{found}, not an object of numbers"},
	NotNumber:        {"not-number", "{found}, not a number"},
	NoNumber:         {"no-number", "{value} is not a number"},
	NumberTooLarge:   {"number-too-large", "{value} is larger than a number can be"},
	NotTimeString:    {"not-time-string", "{found}, not an RFC 3339 string"},
	NoTime:           {"no-time", "{value} is not an RFC 3339 time"},
	TimeAhead:        {"time-ahead", "{value} is too far in the future"},
	TimeUnset:        {"time-unset", "{value} is a clock that was never set"},
	TimeLongAgo:      {"time-long-ago", "{value} is too long ago"},
	MoreInMinute:     {"more-in-minute", "{n} more in this minute, {bytes} bytes in all, which are only counted; of the first"},
	MonthNotOpened:   {"month-not-opened", "{value}: a device may begin {limit} months a day that have no readings yet; import a longer history from a file"},
	TimeNotStored:    {"time-not-stored", "{value} is outside of what is stored"},
	NoSuchDatastream: {"no-such-datastream", "the device has no such datastream"},
	DatastreamGone:   {"datastream-gone", "datastream {id}: there is none any more"},
	NotStatus:        {"not-status", "neither online, offline nor an object"},
	NotBoolean:       {"not-boolean", "{found}, not true or false"},
	DeviceUnknown:    {"device-unknown", "{device} is not registered, or disabled"},
	DeviceGone:       {"device-gone", "there is no such device any more"},
	DeviceElsewhere:  {"device-elsewhere", "the device is in {division}"},
	NeitherKind:      {"neither-kind", "neither {one} nor {other}"},
	PayloadTooLarge:  {"payload-too-large", "the payload is larger than is taken: {size} bytes, at most {limit}"},
	PacketUnread:     {"packet-unread", "a packet larger than {limit} bytes; it was not read, so its topic, size and content are not known"},
	StoreRefused:     {"store-refused", "the store will not have it: {error}"},
	PayloadLost:      {"payload-lost", "the payload could not be kept; it is in the log"},

	TopicRoot:     {"topic-root", "does not begin with {root}"},
	TopicParts:    {"topic-parts", "has {n} parts below {root}, not the 3 of division/device/kind"},
	TopicDivision: {"topic-division", "the division is not 6 digits"},
	TopicDevice:   {"topic-device", "the device is not 1 to 64 of [A-Za-z0-9_-]"},
	TopicKind:     {"topic-kind", "ends in neither {one}, {two} nor {three}"},
	TopicRead:     {"topic-read", "is one that devices read"},

	ConnectedOften:   {"connected-often", "connected {n} times within a minute"},
	LoginWrong:       {"login-wrong", "unknown device, or wrong secret or certificate; user name {user}"},
	LoginMissing:     {"login-missing", "no user name and no certificate"},
	CertificateDates: {"certificate-dates", "the client certificate is out of date: valid from {from} to {to}"},
	WillForeign:      {"will-foreign", "its last will is on {topic}, which is not its status: it is let in, and the will is not spoken"},
	WillOfOther:      {"will-of-other", "its last will is on {topic}, which is of another device: it is let in, and the will is not spoken"},
	WillUnread:       {"will-unread", "its last will says neither online nor offline: it is let in, and the will is not spoken; it says {said}"},
	StatusUnread:     {"status-unread", "its status says neither online nor offline; it says {said}"},
	KeepAliveLong:    {"keep-alive-long", "asks for a keep-alive of {asked} s, above the limit of {limit} s, of which version 3.1.1 cannot be told: its connection ends only after one and a half times what it asks for"},
	KeepAliveNone:    {"keep-alive-none", "asked for no keep-alive and said nothing for {seconds} s: its connection was ended"},
	PacketTooLarge:   {"packet-too-large", "a packet larger than {limit} bytes"},
	HelloPushedOut:   {"hello-pushed-out", "did not say who it is, and others needed its room"},
	HelloLate:        {"hello-late", "did not say who it is in time"},
	AcksUnread:       {"acks-unread", "does not read its acknowledgements"},
	AcksPutOut:       {"acks-put-out", "did not read its acknowledgements and was put out"},
	AccessEnded:      {"access-ended", "was connected when it was disabled, or its credentials or division were changed"},
	OverQuota:        {"over-quota", "sends more than {limit} readings a minute; reading from it pauses"},
	SendsTooFast:     {"sends-too-fast", "sends faster than readings are stored; reading from it pauses"},
	PublishForeign:   {"publish-foreign", "publishes to {topic}"},
	SubscribeForeign: {"subscribe-foreign", "subscribes to {topic}"},

	Required:           {"required", "is required"},
	NotEmpty:           {"not-empty", "must not be empty"},
	TooLong:            {"too-long", "is longer than {limit} characters"},
	OutOfRange:         {"out-of-range", "{value} is outside {from} to {to}"},
	NeitherOf:          {"neither-of", `must be "{one}" or "{other}"`},
	BelowZero:          {"below-zero", "is negative"},
	NoOrigin:           {"no-origin", `"{value}" is no origin`},
	NotFinite:          {"not-finite", "must be a finite number"},
	NameZHMissing:      {"name-zh-missing", "a rule has a Chinese name"},
	ForSeconds:         {"for-seconds", "must be 0 to {limit} seconds"},
	HoldSeconds:        {"hold-seconds", "must be 0 to {limit} seconds"},
	LevelCount:         {"level-count", "has {n} levels, a rule has 1 to 4"},
	LevelUnknown:       {"level-unknown", "must be 1 (red) to 4 (blue)"},
	LevelTwice:         {"level-twice", "{level} stands twice"},
	LevelOrder:         {"level-order", "{level} stands after {before}: the worst level comes first"},
	ClearUnsafe:        {"clear-unsafe", "{value} must be on the safe side of raise {raise}"},
	RaiseOrder:         {"raise-order", "{value} must be safer than the {worse} of the worse level"},
	ClearOrder:         {"clear-order", "{value} must not be more dangerous than the {worse} of the worse level"},
	NoDatastreamType:   {"no-datastream-type", `there is no datastream type "{value}"`},
	NoDatastream:       {"no-datastream", "there is no datastream {id}"},
	DatastreamObserves: {"datastream-observes", "datastream {id} observes {type}, not {other}"},
	LoginShape:         {"login-shape", "must be 2 to 64 of a–z, 0–9, dot, underscore and hyphen"},
	LoginTaken:         {"login-taken", "this login is taken"},
	NameLine:           {"name-line", "must be a line of at most {limit} characters"},
	NoRole:             {"no-role", `there is no role "{value}"`},
	ResponderDivision:  {"responder-division", "a county responder belongs to a county: 6 digits"},
	CommanderDivision:  {"commander-division", "a city commander belongs to the city: 4 digits"},
	NoDivision:         {"no-division", `"{value}" is no division code`},
	DivisionOutside:    {"division-outside", "the division {value} lies outside your own, {own}"},
	OwnAccess:          {"own-access", "nobody takes the own role, division or access away: ask another administrator"},
	PasswordShort:      {"password-short", "must be at least {limit} characters"},
	PasswordLong:       {"password-long", "must be at most {limit} bytes"},
	PasswordLogin:      {"password-login", "must not be the user name"},
	PasswordSame:       {"password-same", "must differ from the current one"},
	PasswordWrong:      {"password-wrong", "is not the current password"},
	PasswordMeanwhile:  {"password-meanwhile", "the password was changed meanwhile; log in with the new one"},
	DisplayPassword:    {"display-password", "a display logs in by a link and has no password"},
	LoginSlowed:        {"login-slowed", "too many failed attempts; wait {n} s before the next"},
	LoginBusy:          {"login-busy", "too many people are logging in at this moment; try again in {n} s"},
	CellSize:           {"cell-size", "{value} is neither 0 nor a power of two to {limit}"},
	ZoomRange:          {"zoom-range", "the zooms {from} to {to} are no range within 0 to {limit}"},
	NoNumberField:      {"no-number-field", `"{value}" is no field of numbers`},
	NoField:            {"no-field", `the layer has no field "{value}"`},
	NamedTwice:         {"named-twice", `"{value}" is there twice`},
	FingerprintShape:   {"fingerprint-shape", "must be the 64 hexadecimal digits of a SHA-256"},
	CertificateTaken:   {"certificate-taken", "another device has this certificate"},
	CertificateUnread:  {"certificate-unread", "the certificate cannot be read"},
	CertificateMissing: {"certificate-missing", "holds no certificate"},
	CertificateExpired: {"certificate-expired", "the certificate has expired on {date}"},
	CertificateKey:     {"certificate-key", "holds a private key; send the certificate alone, and give the device a new key"},
	DisplayTaken:       {"display-taken", "another display has this name"},
	LinkUsed:           {"link-used", "this link was used, has expired or was replaced; ask for a new one"},
	OriginForeign:      {"origin-foreign", "the page is at {origin}, and its requests arrive here for {host}: start the server with --origin {origin}, or let the proxy send X-Forwarded-Host"},
	NotWebSocket:       {"not-websocket", "the request arrives without Upgrade: websocket: a proxy before the server must pass Upgrade and Connection on"},
	PushNotReady:       {"push-not-ready", "the server is starting or stopping and takes no live connections yet"},
	PushFull:           {"push-full", "the server has {n} live connections, as many as it takes"},
	PushAccountFull:    {"push-account-full", "the account has {n} live connections, as many as one may have: close pages that are not needed, or use an account for each person"},

	RoleMayNot:       {"role-may-not", "the role {role} does not have the permission {permission}"},
	CityWideOnly:     {"city-wide-only", "this is for the city, and your division is {own}"},
	NoAlert:          {"no-alert", "there is no alert {id}, or none in your division"},
	AlertElsewhere:   {"alert-elsewhere", "the alert lies in division {division}: from elsewhere it can only be acknowledged"},
	ActionUnknown:    {"action-unknown", `there is no step "{value}"`},
	StepImpossible:   {"step-impossible", "an alert that is {handling} cannot take the step {action}"},
	StillFiring:      {"still-firing", "the alert is {detection} at level {level}, it has not cleared: confirm the step {action}, with a note"},
	AlertRisen:       {"alert-risen", "the alert is {level} now, and {before} was shown: look at it and take the step {action} again"},
	ShownMissing:     {"shown-missing", "the alert has risen to {level}, from {before}: the step {action} needs the level that was shown"},
	ShownCount:       {"shown-count", "{n} levels are given for {limit} alerts"},
	NoteMissing:      {"note-missing", "the step {action} needs a note"},
	NoteNotText:      {"note-not-text", "is not text"},
	AssigneeMissing:  {"assignee-missing", "assigning needs a person"},
	AssigneeUnwanted: {"assignee-unwanted", "only assigning has a person"},
	NoAssignee:       {"no-assignee", `there is no "{value}" in your division who handles alerts of {division}`},
	BulkCount:        {"bulk-count", "{n} alerts are named; 1 to {limit} are taken at once"},
	NoSilence:        {"no-silence", "there is no silence {id}, or none in your division"},
	SilenceKind:      {"silence-kind", "is neither a silence nor a maintenance window"},
	SilenceOfNothing: {"silence-of-nothing", "name a device, a datastream type or a division"},
	SilenceCityOnly:  {"silence-city-only", "only the city silences a datastream type everywhere; name a division or a device in {own}"},
	SilenceEnds:      {"silence-ends", "must end after it starts"},
	SilenceOver:      {"silence-over", "lies in the past"},
	SilenceLong:      {"silence-long", "ends more than {limit} days after it starts"},
	SilenceStart:     {"silence-start", "starts more than {limit} days from now"},
	NoDevice:         {"no-device", `there is no device "{value}", or none in your division`},
	TimeRange:        {"time-range", "must be before the end"},
	QueryText:        {"query-text", "must be a text to look for"},
	ExportFormat:     {"export-format", "there is no format {value}"},
	Malformed:        {"malformed", "has not the form that is taken here"},
	UnknownField:     {"unknown-field", "is not a member that is known here"},
	TooMuch:          {"too-much", "is larger than is taken here"},
	AwayNow:          {"away-now", "a part of the server is away now; try again"},
	InternalError:    {"internal-error", "an internal error; the log has its detail under request {id}"},

	PartStarting:     {"part-starting", "starting"},
	PartStopping:     {"part-stopping", "stopping"},
	PartSilent:       {"part-silent", "does not answer"},
	PartsUnknown:     {"parts-unknown", "the server's health is not known"},
	ReadingsUnstored: {"readings-unstored", "readings cannot be stored: {error}"},
	CommitSlow:       {"commit-slow", "a commit of readings takes long"},
	ListenerClosed:   {"listener-closed", "no longer accepts connections on {listener}"},
	ExternalAway:     {"external-away", "external broker: not connected"},
	ExternalSlow:     {"external-slow", "external broker: a publish waits long for its commit"},
	ExternalCause:    {"external-cause", "the last connection, or the last try: {error}"},
	CertificateOver:  {"certificate-over", "the certificate for devices has expired on {date}"},
	CertificateStays: {"certificate-stays", "the certificate for devices could not be read anew: {error}; the last one stays, until {date}"},
	RulesHere:        {"rules-here", "evaluating on this node"},
	RulesElsewhere:   {"rules-elsewhere", "standing by: another node evaluates"},
	RulesReplay:      {"rules-replay", "replaying what was committed before the start"},
	RulesFailing:     {"rules-failing", "the evaluation fails, retrying; the log says why"},
	RulesLate:        {"rules-late", "readings wait more than {limit} s for the rules"},
	LayerLoading:     {"layer-loading", "loading layer {nth} of {layers}, {layer}: {n} of {count}"},
	LayersUnread:     {"layers-unread", "changes of the layers could not be read"},
	EventsUnread:     {"events-unread", "the event log could not be read"},
	BatchesUnread:    {"batches-unread", "the ingest batches could not be read"},
}
