package alerts

import "onemap/internal/fault"

// The codes of rules, alerts, silences and their evaluation.
const (
	CodeNoOrigin           fault.Code = `no-origin: "{value}" is no origin`
	CodeNameZHMissing      fault.Code = "name-zh-missing: a rule has a Chinese name"
	CodeLevelCount         fault.Code = "level-count: has {n} levels, a rule has 1 to 4"
	CodeLevelUnknown       fault.Code = "level-unknown: must be 1 (red) to 4 (blue)"
	CodeLevelTwice         fault.Code = "level-twice: {level} stands twice"
	CodeLevelOrder         fault.Code = "level-order: {level} stands after {before}: the worst level comes first"
	CodeClearUnsafe        fault.Code = "clear-unsafe: {value} must be on the safe side of raise {raise}"
	CodeRaiseOrder         fault.Code = "raise-order: {value} must be safer than the {worse} of the worse level"
	CodeClearOrder         fault.Code = "clear-order: {value} must not be more dangerous than the {worse} of the worse level"
	CodeDatastreamObserves fault.Code = "datastream-observes: datastream {id} observes {type}, not {other}"
	CodeNoAlert            fault.Code = "no-alert: there is no alert {id}, or none in your division"
	CodeAlertElsewhere     fault.Code = "alert-elsewhere: the alert lies in division {division}: from elsewhere it can only be acknowledged"
	CodeActionUnknown      fault.Code = `action-unknown: there is no step "{value}"`
	CodeStepImpossible     fault.Code = "step-impossible: an alert that is {handling} cannot take the step {action}"
	CodeStillFiring        fault.Code = "still-firing: the alert is {detection} at level {level}, it has not cleared: confirm the step {action}, with a note"
	CodeAlertRisen         fault.Code = "alert-risen: the alert is {level} now, and {before} was shown: look at it and take the step {action} again"
	CodeShownMissing       fault.Code = "shown-missing: the alert has risen to {level}, from {before}: the step {action} needs the level that was shown"
	CodeShownCount         fault.Code = "shown-count: {n} levels are given for {limit} alerts"
	CodeNoteMissing        fault.Code = "note-missing: the step {action} needs a note"
	CodeNoteNotText        fault.Code = "note-not-text: is not text"
	CodeAssigneeMissing    fault.Code = "assignee-missing: assigning needs a person"
	CodeAssigneeUnwanted   fault.Code = "assignee-unwanted: only assigning has a person"
	CodeNoAssignee         fault.Code = `no-assignee: there is no "{value}" in your division who handles alerts of {division}`
	CodeBulkCount          fault.Code = "bulk-count: {n} alerts are named; 1 to {limit} are taken at once"
	CodeNoSilence          fault.Code = "no-silence: there is no silence {id}, or none in your division"
	CodeSilenceKind        fault.Code = "silence-kind: is neither a silence nor a maintenance window"
	CodeSilenceOfNothing   fault.Code = "silence-of-nothing: name a device, a datastream type or a division"
	CodeSilenceCityOnly    fault.Code = "silence-city-only: only the city silences a datastream type everywhere; name a division or a device in {own}"
	CodeSilenceEnds        fault.Code = "silence-ends: must end after it starts"
	CodeSilenceOver        fault.Code = "silence-over: lies in the past"
	CodeSilenceLong        fault.Code = "silence-long: ends more than {limit} days after it starts"
	CodeSilenceStart       fault.Code = "silence-start: starts more than {limit} days from now"
	CodeExportFormat       fault.Code = "export-format: there is no format {value}"
	CodeRulesHere          fault.Code = "rules-here: evaluating on this node"
	CodeRulesElsewhere     fault.Code = "rules-elsewhere: standing by: another node evaluates"
	CodeRulesReplay        fault.Code = "rules-replay: replaying what was committed before the start"
	CodeRulesFailing       fault.Code = "rules-failing: the evaluation fails, retrying; the log says why"
	CodeRulesLate          fault.Code = "rules-late: readings wait more than {limit} s for the rules"
	CodeSecondsRange       fault.Code = "seconds-range: must be 0 to {limit} seconds"
)
