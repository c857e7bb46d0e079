"""What is played: replies and earcons, and how much of them was heard."""
