/** How far a device's clock is off. */
export default {
  behind: 'clock {by} behind',
  ahead: 'clock {by} ahead',
  weeks: '{n} weeks',
  days: '{n} days',
  hours: '{n} hours',
  minutes: '{n} minutes',
  seconds: '{n} s',
} as const
