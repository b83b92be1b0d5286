"""The provider catalogue: which hosts a key of a known provider belongs to. Data, no behaviour of providers.

A row holds the hosts, the variables its libraries read, and the shapes of its keys. Hosts are only those of the
provider's own API; a suffix is named only where the provider alone can make names below it.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider."""

    name: str
    hosts: tuple[str, ...]
    env: tuple[str, ...]
    shapes: tuple[str, ...] = ()  # regular expressions of whole values


CATALOGUE = (
    Provider(
        "openai",
        ("api.openai.com",),
        ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
        (r"sk-(proj|svcacct|admin)-[\w-]{20,}", r"sk-[A-Za-z0-9]{32,64}"),
    ),
    Provider("anthropic", ("api.anthropic.com",), ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), (r"sk-ant-[\w-]{20,}",)),
    Provider(
        "github",
        ("api.github.com", "uploads.github.com", "github.com"),
        ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_PAT", "GITHUB_PERSONAL_ACCESS_TOKEN"),
        (r"gh[pousr]_[A-Za-z0-9]{20,}", r"github_pat_\w{20,}"),
    ),
    Provider("gitlab", ("gitlab.com",), ("GITLAB_TOKEN", "GITLAB_PRIVATE_TOKEN", "GITLAB_ACCESS_TOKEN"), (r"glpat-[\w.-]{20,}",)),
    Provider(
        "huggingface",
        ("huggingface.co", "router.huggingface.co", "api-inference.huggingface.co"),
        ("HF_TOKEN", "HUGGINGFACE_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        (r"hf_[A-Za-z0-9]{20,}",),
    ),
    Provider("mistral", ("api.mistral.ai", "codestral.mistral.ai"), ("MISTRAL_API_KEY",)),
    Provider(
        "google",
        (
            "generativelanguage.googleapis.com",
            "www.googleapis.com",
            "gmail.googleapis.com",
            "people.googleapis.com",
            "oauth2.googleapis.com",
        ),
        ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_TOKEN", "GOOGLE_ACCESS_TOKEN"),
        (r"AIza[\w-]{35}", r"ya29\.[\w.-]{20,}"),
    ),
    Provider("groq", ("api.groq.com",), ("GROQ_API_KEY",), (r"gsk_[A-Za-z0-9]{20,}",)),
    Provider(
        "stripe", ("api.stripe.com", "files.stripe.com"), ("STRIPE_API_KEY", "STRIPE_SECRET_KEY"), (r"[sr]k_(live|test)_[A-Za-z0-9]{16,}",)
    ),
    Provider(
        "slack",
        ("slack.com", "www.slack.com", "files.slack.com"),
        ("SLACK_TOKEN", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_USER_TOKEN"),
        (r"xox[abeprs]-[\w-]{10,}", r"xapp-[\w-]{10,}"),
    ),
    Provider("linear", ("api.linear.app",), ("LINEAR_API_KEY", "LINEAR_TOKEN"), (r"lin_(api|oauth)_[A-Za-z0-9]{20,}",)),
    Provider("notion", ("api.notion.com",), ("NOTION_API_KEY", "NOTION_TOKEN"), (r"ntn_[A-Za-z0-9]{20,}", r"secret_[A-Za-z0-9]{43}")),
    Provider("sendgrid", ("api.sendgrid.com",), ("SENDGRID_API_KEY",), (r"SG\.[\w-]{16,}\.[\w-]{16,}",)),
    Provider("twilio", ("api.twilio.com",), ("TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET")),
    Provider("cohere", ("api.cohere.com", "api.cohere.ai"), ("COHERE_API_KEY", "CO_API_KEY")),
    Provider("xai", ("api.x.ai",), ("XAI_API_KEY",), (r"xai-[A-Za-z0-9]{20,}",)),
    Provider("deepseek", ("api.deepseek.com",), ("DEEPSEEK_API_KEY",)),
    Provider("openrouter", ("openrouter.ai",), ("OPENROUTER_API_KEY",), (r"sk-or-[\w-]{20,}",)),
    Provider("replicate", ("api.replicate.com",), ("REPLICATE_API_TOKEN",), (r"r8_[A-Za-z0-9]{20,}",)),
    Provider("perplexity", ("api.perplexity.ai",), ("PERPLEXITY_API_KEY",), (r"pplx-[A-Za-z0-9]{20,}",)),
    Provider("together", ("api.together.xyz", "api.together.ai"), ("TOGETHER_API_KEY",)),
    Provider("fireworks", ("api.fireworks.ai",), ("FIREWORKS_API_KEY",), (r"fw_[A-Za-z0-9]{20,}",)),
    Provider("elevenlabs", ("api.elevenlabs.io",), ("ELEVENLABS_API_KEY", "ELEVEN_API_KEY")),
    Provider("tavily", ("api.tavily.com",), ("TAVILY_API_KEY",), (r"tvly-[\w-]{16,}",)),
    Provider("resend", ("api.resend.com",), ("RESEND_API_KEY",), (r"re_\w{20,}",)),
    Provider("hubspot", ("api.hubapi.com",), ("HUBSPOT_TOKEN", "HUBSPOT_ACCESS_TOKEN", "HUBSPOT_API_KEY"), (r"pat-(na|eu)\d-[\w-]{20,}",)),
    Provider("cloudflare", ("api.cloudflare.com",), ("CLOUDFLARE_API_TOKEN", "CF_API_TOKEN")),
    Provider(
        "digitalocean", ("api.digitalocean.com",), ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"), (r"do[opr]_v1_[a-f0-9]{40,}",)
    ),
    Provider("vercel", ("api.vercel.com",), ("VERCEL_TOKEN",)),
    Provider("airtable", ("api.airtable.com",), ("AIRTABLE_API_KEY", "AIRTABLE_TOKEN"), (r"pat[A-Za-z0-9]{14}\.[a-f0-9]{40,}",)),
    Provider("asana", ("app.asana.com",), ("ASANA_ACCESS_TOKEN", "ASANA_TOKEN")),
    Provider("discord", ("discord.com",), ("DISCORD_TOKEN", "DISCORD_BOT_TOKEN")),
    Provider("telegram", ("api.telegram.org",), ("TELEGRAM_BOT_TOKEN",), (r"\d{8,10}:[\w-]{35}",)),
    Provider("pinecone", ("api.pinecone.io", "*.pinecone.io"), ("PINECONE_API_KEY",), (r"pcsk_\w{20,}",)),
    Provider("voyage", ("api.voyageai.com",), ("VOYAGE_API_KEY",), (r"pa-[\w-]{40,}",)),
)

_BY_ENV = {env: provider for provider in CATALOGUE for env in provider.env}
_BY_NAME = {provider.name: provider for provider in CATALOGUE}
_BY_SHAPE = [(re.compile(shape), provider) for provider in CATALOGUE for shape in provider.shapes]


def by_env(env: str) -> Provider | None:
    """The provider whose libraries read this variable; case counts, as it does for them."""
    return _BY_ENV.get(env)


def by_shape(value: str) -> Provider | None:
    """The provider whose keys look like this; None when none or several do."""
    found = {provider.name: provider for shape, provider in _BY_SHAPE if shape.fullmatch(value)}
    return next(iter(found.values())) if len(found) == 1 else None


def by_name(name: str) -> Provider | None:
    """The provider of this name, as OAuth calls it."""
    return _BY_NAME.get(name.lower())
