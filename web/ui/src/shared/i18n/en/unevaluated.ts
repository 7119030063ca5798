/** Devices that are heard of and whose readings the rules do not look at. */
export default {
  mark: 'readings not evaluated',
  why: {
    late: 'readings not evaluated: their times are before the newest reading',
    bad: 'readings not evaluated: out of range or missing',
    quarantine: 'readings not evaluated: they cannot be read and are in quarantine',
  },
} as const
