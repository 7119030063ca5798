// The map and what stands on it: clusters, the lost map, the wall, the printed sheet.
export default {
  noData: {
    city: '全市 {n} 台设备无数据（共 {all} 台）',
    unit: '{name} {n} 台设备无数据（共 {all} 台）',
  },
  silenced: '静默或维护中',
  cluster: {
    firing: '聚合：大数字为触发中的设备数，斜线后为全部；颜色、形状为最高级别',
    quiet: '聚合（无触发）：数字为设备数',
    ring: '外环：触发、无数据（虚线）、正常各占多少',
    other: '聚合：颜色为其中最高级别，数字为数量',
  },
  wall: {
    trend: '{change}（{n} 分钟）',
    told: '在线 {n} 人，{received} 人已收到',
    nobody: '{units}无人在线',
    confirmed: '已确认：{names}',
    unconfirmed: '尚未确认',
    unknown: '通知情况未知',
    more: '还有 {n} 条触发中的告警',
  },
  print: {
    open: '打印预览',
    title: '标题',
    author: '制图人',
    madeBy: '制图：{author}',
    go: '打印',
    close: '关闭预览',
    hint: 'A3 横向，浅色。可拖动、缩放地图；面板不打印。',
    drawing: '正在绘制…',
    late: '地图尚未按打印版式绘制完成：请用页面的“打印”按钮重新打印。',
    alerts: '触发中的告警',
    counts: '{level} {n} 条',
  },
} as const
