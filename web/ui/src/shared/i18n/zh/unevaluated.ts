/** Devices that are heard of and whose readings the rules do not look at. */
export default {
  mark: '读数未参与研判',
  why: {
    late: '读数未参与研判：时间早于已有读数',
    bad: '读数未参与研判：超出量程或缺测',
    quarantine: '读数未参与研判：报文无法识别，已隔离',
  },
} as const
