export default { title: 'City risk map' } as const
