// What a component shows, for unit tests without a DOM: it is rendered to text as on a server. Its mounted hooks do not run.

import { createSSRApp, type Component, type Plugin } from 'vue'
import { renderToString } from 'vue/server-renderer'

export interface Shown {
  html: string
  /** What can be read, its lines joined by spaces. */
  text: string
  /** The part of the element with this test id, up to the end of the component; '' where there is none. */
  at(testId: string): string
}

const plain = (html: string) =>
  html.replace(/<!--.*?-->/gs, '').replace(/<[^>]+>/g, ' ').replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&').replace(/\s+/g, ' ').trim()

/** Renders a component with its props. */
export async function shown(component: Component, props: Record<string, unknown> = {}, ...plugins: Plugin[]): Promise<Shown> {
  const app = createSSRApp(component, props)
  for (const plugin of plugins) app.use(plugin)
  const html = await renderToString(app)
  return {
    html,
    text: plain(html),
    at(testId) {
      const from = html.indexOf(`data-testid="${testId}"`)
      return from < 0 ? '' : plain(html.slice(html.lastIndexOf('<', from)))
    },
  }
}
