package tilespg

// SelectChanges is for its tests.
const SelectChanges = selectChanges
