package auth

import "onemap/internal/fault"

// The codes of accounts, passwords, roles and displays.
const (
	CodeLoginShape        fault.Code = "login-shape: must be 2 to 64 of a–z, 0–9, dot, underscore and hyphen"
	CodeLoginTaken        fault.Code = "login-taken: this login is taken"
	CodeNoRole            fault.Code = `no-role: there is no role "{value}"`
	CodeResponderDivision fault.Code = "responder-division: a county responder belongs to a county: 6 digits"
	CodeCommanderDivision fault.Code = "commander-division: a city commander belongs to the city: 4 digits"
	CodeOwnAccess         fault.Code = "own-access: nobody takes the own role, division or access away: ask another administrator"
	CodePasswordShort     fault.Code = "password-short: must be at least {limit} characters"
	CodePasswordLong      fault.Code = "password-long: must be at most {limit} bytes"
	CodePasswordLogin     fault.Code = "password-login: must not be the user name"
	CodePasswordSame      fault.Code = "password-same: must differ from the current one"
	CodePasswordWrong     fault.Code = "password-wrong: is not the current password"
	CodePasswordMeanwhile fault.Code = "password-meanwhile: the password was changed meanwhile; log in with the new one"
	CodeDisplayPassword   fault.Code = "display-password: a display logs in by a link and has no password"
	CodeLoginSlowed       fault.Code = "login-slowed: too many failed attempts; wait {n} s before the next"
	CodeLoginBusy         fault.Code = "login-busy: too many people are logging in at this moment; try again in {n} s"
	CodeDisplayTaken      fault.Code = "display-taken: another display has this name"
	CodeLinkUsed          fault.Code = "link-used: this link was used, has expired or was replaced; ask for a new one"
)
