package tilespg

// SelectChanges is the statement of the feed, for tests.
const SelectChanges = selectChanges
