package sensors

import "onemap/internal/fault"

// The codes of devices, their messages and readings.
const (
	CodeJSONExpected       fault.Code = "json-expected: offset {offset}: {want} expected, {found} found"
	CodeJSONMore           fault.Code = "json-more: offset {offset}: ',' or {want} expected, {found} found"
	CodeJSONNumber         fault.Code = "json-number: offset {offset}: a number expected, {found} found"
	CodeJSONValue          fault.Code = "json-value: offset {offset}: a value expected, {found} found"
	CodeJSONBoolean        fault.Code = "json-boolean: offset {offset}: true or false expected, {found} found"
	CodeJSONTrailing       fault.Code = "json-trailing: offset {offset}: trailing bytes: {found} found after the end"
	CodeJSONNotUTF8        fault.Code = "json-not-utf8: offset {offset}: a string that is not UTF-8"
	CodeJSONControl        fault.Code = "json-control: offset {offset}: a control character in a string"
	CodeJSONUnended        fault.Code = "json-unended: offset {offset}: a string without its end"
	CodeJSONEscape         fault.Code = "json-escape: offset {offset}: an escape that JSON does not know"
	CodeJSONSurrogate      fault.Code = "json-surrogate: offset {offset}: half of a surrogate pair"
	CodeJSONDeep           fault.Code = "json-deep: offset {offset}: nested deeper than {limit}"
	CodeEmptyArray         fault.Code = "empty-array: an empty array"
	CodeNotReading         fault.Code = `not-reading: {found}, not an object with "v"`
	CodeGivenTwice         fault.Code = "given-twice: given twice"
	CodeUnknownMember      fault.Code = `unknown-member: unknown; only "{one}" and "{other}" are read`
	CodeNotNumbers         fault.Code = "not-numbers: {found}, not an object of numbers"
	CodeNotNumber          fault.Code = "not-a-number: {found} is not a number"
	CodeNumberTooLarge     fault.Code = "number-too-large: {value} is larger than a number can be"
	CodeNotTimeString      fault.Code = "not-time-string: {found}, not an RFC 3339 string"
	CodeNoTime             fault.Code = "no-time: {value} is not an RFC 3339 time"
	CodeTimeNotStored      fault.Code = "time-not-stored: {value} is outside of what is stored"
	CodeNotStatus          fault.Code = "not-status: neither online, offline nor an object"
	CodeNotBoolean         fault.Code = "not-boolean: {found}, not true or false"
	CodeDeviceUnknown      fault.Code = "device-unknown: {device} is not registered, or disabled"
	CodeDeviceGone         fault.Code = "device-gone: there is no such device any more"
	CodeDeviceElsewhere    fault.Code = "device-elsewhere: the device is in {division}"
	CodePayloadTooLarge    fault.Code = "payload-too-large: the payload is larger than is taken: {size} bytes, at most {limit}"
	CodeStoreRefused       fault.Code = "store-refused: the store will not have it: {error}"
	CodeMoreInMinute       fault.Code = "more-in-minute: {n} more in this minute, {bytes} bytes in all, which are only counted; of the first"
	CodeMonthNotOpened     fault.Code = "month-not-opened: {value}: a device may begin {limit} months a day that have no readings yet; import a longer history from a file"
	CodeNoDatastreamType   fault.Code = `no-datastream-type: there is no datastream type "{value}"`
	CodeNoDatastream       fault.Code = "no-datastream: there is no datastream {id}"
	CodeFingerprintShape   fault.Code = "fingerprint-shape: must be the 64 hexadecimal digits of a SHA-256"
	CodeCertificateTaken   fault.Code = "certificate-taken: another device has this certificate"
	CodeCertificateUnread  fault.Code = "certificate-unread: the certificate cannot be read"
	CodeCertificateMissing fault.Code = "certificate-missing: holds no certificate"
	CodeCertificateExpired fault.Code = "certificate-expired: the certificate has expired on {date}"
	CodeCertificateKey     fault.Code = "certificate-key: holds a private key; send the certificate alone, and give the device a new key"
	CodeNoDevice           fault.Code = `no-device: there is no device "{value}", or none in your division`
	CodeReadingsUnstored   fault.Code = "readings-unstored: readings cannot be stored: {error}"
	CodeCommitSlow         fault.Code = "commit-slow: a commit of readings takes long"
)
