/** How far a device's clock is off. */
export default {
  behind: '时钟慢 {by}',
  ahead: '时钟快 {by}',
  weeks: '{n} 周',
  days: '{n} 天',
  hours: '{n} 小时',
  minutes: '{n} 分钟',
  seconds: '{n} 秒',
} as const
