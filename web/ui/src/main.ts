import { createPinia } from 'pinia'
import { createApp } from 'vue'
import '@fontsource/noto-sans-sc/400.css'
import 'element-plus/es/components/base/style/css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import '@/shared/theme/sizes.css'
import '@/shared/theme/layout.css'
import '@/shared/theme/base.css'
import '@/shared/theme/controls.css'
import '@/shared/theme/shared.css'
import App from '@/app/App.vue'
import { onUnauthorized } from '@/shared/api/client'
import { i18n } from '@/shared/i18n'
import { at } from '@/shared/api/base'
import { router } from '@/router'
import { usePrefs } from '@/shared/prefs/prefs'
import { useSession } from '@/shared/session/session'

const app = createApp(App)
app.use(createPinia()).use(i18n)
usePrefs() // the theme and the language are on the page before anything is drawn
app.use(router)
onUnauthorized(() => {
  // A page that is open stays, with what is typed in it; the shell says that the session ended.
  const session = useSession()
  const here = router.currentRoute.value
  session.lose()
  if (!session.me && !here.meta.open) void router.replace({ name: 'login', query: { next: here.fullPath } })
})
app.mount('#app')
// Without TLS, and not on this machine, browsers have no service workers: the page then works without.
if (import.meta.env.PROD && 'serviceWorker' in navigator) navigator.serviceWorker.register(at('/sw.js')).catch((error: unknown) => console.warn('no service worker', error))
