// The one file of design tokens: Element Plus' variables, ECharts and the map style all read it.

export type ThemeName = 'dark' | 'light'

/** 1 red is the worst, 4 blue the mildest, 0 none: core.Level. */
export type Level = 0 | 1 | 2 | 3 | 4

export interface Tokens {
  background: string
  panel: string
  panelSolid: string
  raised: string
  line: string
  text: string
  muted: string
  accent: string
  /** A filled button, and its text at 4.5 : 1. */
  accentFill: string
  accentInk: string
  sea: string
  surroundings: string
  land: string
  urban: string
  coast: string
  water: string
  waterLabel: string
  county: string
  label: string
  halo: string
  grey: string
  ok: string
  /** Index is the level; 0 is "none, all is well". */
  levels: readonly [string, string, string, string, string]
  /** What a level's chip is filled with. */
  levelFill: readonly [string, string, string, string, string]
  /** Text on levelFill, at least 4.5 : 1. */
  levelInk: readonly [string, string, string, string, string]
}

export const tokens: Record<ThemeName, Tokens> = {
  dark: {
    background: '#0b1220',
    panel: 'rgba(18, 27, 43, 0.92)',
    panelSolid: '#121b2b',
    raised: '#1b2740',
    line: '#24324a',
    text: '#e6edf6',
    muted: '#8da2bd',
    accent: '#4da3ff',
    accentFill: '#1f6fc9',
    accentInk: '#ffffff',
    sea: '#0a1a2b',
    surroundings: '#16202e',
    land: '#16202e',
    urban: '#1f2c3f',
    coast: '#3d587a',
    water: '#1f4e78',
    waterLabel: '#5d8fbd',
    county: '#5b7699',
    label: '#c8d4e3',
    halo: '#0b1220',
    grey: '#7c8ba1',
    ok: '#3ecf8e',
    levels: ['#3ecf8e', '#ff5a5f', '#ff9f40', '#ffd84d', '#4da3ff'],
    levelFill: ['#1b2740', '#ff5a5f', '#ff9f40', '#ffd84d', '#4da3ff'],
    levelInk: ['#e6edf6', '#16060a', '#1d1000', '#1d1700', '#03101f'],
  },
  light: {
    background: '#f4f6f9',
    panel: 'rgba(255, 255, 255, 0.95)',
    panelSolid: '#ffffff',
    raised: '#eef2f7',
    line: '#d3dbe6',
    text: '#16202e',
    muted: '#55677f',
    accent: '#1257b5',
    accentFill: '#1257b5',
    accentInk: '#ffffff',
    sea: '#d5e5f2',
    surroundings: '#f7f5ef',
    land: '#f7f5ef',
    urban: '#e9e3d6',
    coast: '#8aa6bf',
    water: '#8fbcdc',
    waterLabel: '#3f76a3',
    county: '#7d8fa6',
    label: '#2b3a4f',
    halo: '#ffffff',
    grey: '#7b8794',
    ok: '#157347',
    levels: ['#157347', '#c81e2b', '#b85400', '#8a6d00', '#1257b5'],
    levelFill: ['#eef2f7', '#c81e2b', '#b85400', '#ffe58a', '#1257b5'],
    levelInk: ['#16202e', '#ffffff', '#ffffff', '#5c4800', '#ffffff'],
  },
}

export const roman = ['', 'I', 'II', 'III', 'IV'] as const

/** ◆ ▲ ■ ●: a level is never colour alone. */
export const shapes = ['○', '◆', '▲', '■', '●'] as const

/** The system's CJK sans first; Noto Sans SC is shipped and fetched only where none is installed. */
export const fontFamily =
  '"PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Source Han Sans SC", "Noto Sans CJK SC", "Noto Sans SC", system-ui, sans-serif'

/** CSS custom properties of a theme: our own `--om-…` and Element Plus' `--el-…`. */
export function cssVariables(name: ThemeName): Record<string, string> {
  const t = tokens[name]
  const vars: Record<string, string> = {
    '--om-background': t.background,
    '--om-panel': t.panel,
    '--om-panel-solid': t.panelSolid,
    '--om-raised': t.raised,
    '--om-line': t.line,
    '--om-text': t.text,
    '--om-muted': t.muted,
    '--om-accent': t.accent,
    '--om-accent-fill': t.accentFill,
    '--om-accent-ink': t.accentInk,
    '--om-grey': t.grey,
    '--om-ok': t.ok,
    '--om-font': fontFamily,
    '--el-font-family': fontFamily,
    '--el-color-primary': t.accent,
    '--el-color-danger': t.levels[1],
    '--el-color-warning': t.levels[2],
    '--el-color-success': t.ok,
    '--el-bg-color': t.panelSolid,
    '--el-bg-color-page': t.background,
    '--el-bg-color-overlay': t.panelSolid,
    '--el-fill-color-blank': t.panelSolid,
    '--el-fill-color': t.raised,
    '--el-fill-color-light': t.raised,
    '--el-text-color-primary': t.text,
    '--el-text-color-regular': t.text,
    '--el-text-color-secondary': t.muted,
    '--el-text-color-placeholder': t.muted,
    '--el-border-color': t.line,
    '--el-border-color-light': t.line,
    '--el-border-color-lighter': t.line,
  }
  for (let level = 0; level <= 4; level++) {
    vars[`--om-level-${level}`] = t.levels[level]!
    vars[`--om-level-fill-${level}`] = t.levelFill[level]!
    vars[`--om-level-ink-${level}`] = t.levelInk[level]!
  }
  return vars
}

/** Puts a theme on the page. CSSOM only: the page's policy allows no style elements. */
export function applyTheme(name: ThemeName, root: HTMLElement = document.documentElement): void {
  root.dataset.theme = name
  root.classList.toggle('dark', name === 'dark')
  for (const [key, value] of Object.entries(cssVariables(name))) root.style.setProperty(key, value)
}
