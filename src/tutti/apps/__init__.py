"""Applications composed of the other rooms: shopping, radiology drafts, moderation. Holds no algorithm."""
