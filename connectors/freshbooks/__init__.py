"""FreshBooks: OAuth2, REST, webhooks, polling, write-back."""
