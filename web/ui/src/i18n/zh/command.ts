export default { title: '城市风险一张图' } as const
